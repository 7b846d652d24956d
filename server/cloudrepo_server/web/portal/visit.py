"""One request to the portal: who asks, what the path and the form say, and how to answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import CloudRepoServerError, ForbiddenError
from cloudrepo_server.web.http.responses import status_of
from cloudrepo_server.web.http.urls import repository_url
from cloudrepo_server.web.portal.cookies import Cookies, Notice
from cloudrepo_server.web.portal.rendering import Templates
from cloudrepo_server.web.portal.throttle import Throttle

_SEE_OTHER = 303


@dataclass(slots=True)
class Visit:
    """One request to the portal."""

    request: web.Request
    organization: Organization
    cookies: Cookies
    throttle: Throttle
    templates: Templates
    identity: str
    username: str | None
    """Who is signed in, or None."""
    below: Mapping[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict, repr=False)
    notices: list[Notice] = field(default_factory=list, repr=False)

    @property
    def query(self) -> Mapping[str, str]:
        """What stands behind the question mark."""
        return self.request.query

    async def repository(self) -> Repository:
        """The repository that the path names.

        Raises:
            NotFoundError: there is none.
        """
        return await self.organization.repository(self.below["repository"])

    def url_of(self, repository: Repository) -> str:
        """The URL that clients of a repository are given."""
        return repository_url(self.request, repository)

    def page(self, template: str, *, status: int = 200, **shown: object) -> web.Response:
        """A page; what the browser is to be told is told on it."""
        notices = self._notices() if self.username is not None else []
        context: dict[str, Any] = {
            "organization": self.organization.name,
            "username": self.username,
            "form_token": self.cookies.form_token(self.identity),
            "notices": notices,
            "path": self.request.path,
            **shown,
        }
        response = web.Response(
            text=self.templates.render(template, context), status=status, content_type="text/html"
        )
        if self.username is not None:
            self.cookies.notify(self.request, response, self.identity, ())
        return response

    def refused(self, template: str, error: CloudRepoServerError, **shown: object) -> web.Response:
        """The form's page again, with what was wrong and what was filled in."""
        return self.page(
            template, status=status_of(error), error=str(error), form=self.form, **shown
        )

    def notify(self, text: str, *, secret: str | None = None, kind: str = "done") -> None:
        """Say this on the next page."""
        self.notices.append(Notice(text, kind, secret))

    def go(self, path: str) -> web.Response:
        """Lead to another page."""
        response = web.Response(status=_SEE_OTHER, headers={"Location": path})
        if self.notices and self.username is not None:
            self.cookies.notify(self.request, response, self.identity, self._notices())
        return response

    def _notices(self) -> list[Notice]:
        return [*self.cookies.notices(self.request, self.identity), *self.notices]

    def require_token(self, token: str | None) -> None:
        """Let the form pass.

        Raises:
            ForbiddenError: it is not from a page that this browser was given.
        """
        if token is None or not self.cookies.is_form_token(token, self.identity):
            raise ForbiddenError(
                "This form is not from this portal, or its page was open for too long; "
                "nothing was done. Load the page again."
            )


@dataclass(frozen=True, slots=True)
class Route:
    """A page or form of the portal.

    Nobody need be signed in for an `open` one. A form with files is read by its handler, which then
    asks for the form's token as soon as it has it; of every other form the token was seen before.
    """

    method: str
    path: str
    handler: Callable[[Visit], Awaitable[web.StreamResponse]]
    open: bool = False
    has_files: bool = False
