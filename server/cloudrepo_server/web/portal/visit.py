"""One request to the portal: who asks, what the path and the form say, and how to answer."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cloudrepo_server.errors import CloudRepoServerError, ForbiddenError
from cloudrepo_server.organization import Organization
from cloudrepo_server.repository import Repository
from cloudrepo_server.web.answers import status_of
from cloudrepo_server.web.connection import repository_url
from cloudrepo_server.web.portal.rendering import Templates
from cloudrepo_server.web.portal.sessions import Notice, Session, Sessions

_SEE_OTHER = 303


@dataclass(slots=True)
class Visit:
    """One request to the portal."""

    request: web.Request
    organization: Organization
    sessions: Sessions
    templates: Templates
    identity: str
    session: Session | None
    below: Mapping[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict, repr=False)

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
        """A page; what the session has to tell is told on it."""
        notices: list[Notice] = []
        if self.session is not None:
            notices, self.session.notices = self.session.notices, []
        context: dict[str, Any] = {
            "organization": self.organization.name,
            "username": None if self.session is None else self.session.username,
            "form_token": self.sessions.form_token(self.identity),
            "notices": notices,
            "path": self.request.path,
            **shown,
        }
        return web.Response(
            text=self.templates.render(template, context), status=status, content_type="text/html"
        )

    def refused(self, template: str, error: CloudRepoServerError, **shown: object) -> web.Response:
        """The form's page again, with what was wrong and what was filled in."""
        return self.page(
            template, status=status_of(error), error=str(error), form=self.form, **shown
        )

    def notify(self, text: str, *, secret: str | None = None, kind: str = "done") -> None:
        """Say this on the next page."""
        if self.session is not None:
            self.session.notices.append(Notice(text, kind, secret))

    def go(self, path: str) -> web.Response:
        """Lead to another page."""
        return web.Response(status=_SEE_OTHER, headers={"Location": path})

    def require_token(self, token: str | None) -> None:
        """Let the form pass.

        Raises:
            ForbiddenError: it is not from a page that this browser was given.
        """
        if token is None or not self.sessions.is_form_token(token, self.identity):
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
