"""A request to the portal, with everything that a page needs to read it and to respond."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import ForbiddenError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.web.http.responses import reason_phrase
from cloudrepo_server.web.http.urls import prefix_of, repository_url
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.portal.archives import Archives
from cloudrepo_server.web.portal.cookies import Cookies, Notice
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.log.live import LivePages
from cloudrepo_server.web.portal.readme import Readmes
from cloudrepo_server.web.portal.releases import ReleaseOrder, ReleaseOrders
from cloudrepo_server.web.portal.rendering import Templates
from cloudrepo_server.web.portal.throttle import SignInThrottle

_SEE_OTHER = 303


@dataclass(slots=True)
class PortalRequest:
    """One request to the portal; `http` is the underlying HTTP request."""

    http: web.Request
    organization: Organization
    proxy: Proxy
    cookies: Cookies
    throttle: SignInThrottle
    templates: Templates
    readmes: Readmes
    archives: Archives
    release_orders: ReleaseOrders
    live_pages: LivePages
    session_id: str
    username: str | None = None
    """The signed-in user, or None."""
    path_parameters: Mapping[str, str] = field(default_factory=dict)
    form: dict[str, str] = field(default_factory=dict, repr=False)
    _new_notices: list[Notice] = field(default_factory=list, repr=False)

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the query string."""
        return self.http.query

    async def repository(self) -> Repository:
        """Return the repository that the path names.

        Raises:
            NotFoundError: the repository does not exist.
        """
        return await self.organization.repository(self.path_parameters["repository"])

    async def project(self, repository: Repository) -> ProjectDocument:
        """Return the project that the path names.

        Raises:
            NotFoundError: the project does not exist.
        """
        name = self.path_parameters["project"]
        project = await repository.project(name)
        if project is None:
            raise repository.project_not_found(name)
        return project

    async def version_and_order(
        self, repository: Repository, project: ProjectDocument
    ) -> tuple[str, ReleaseOrder]:
        """Return the version of the release that the path names, and the order of all releases.

        Raises:
            NotFoundError: the project has no such release.
        """
        order = await self.release_orders.of(repository, project)
        named = self.path_parameters["version"]
        version = order.find(named)
        if version is None:
            raise repository.release_not_found(project.name, named)
        return version, order

    async def file(self, repository: Repository) -> tuple[ProjectDocument, File]:
        """Return the file that the path names, and its project.

        Raises:
            NotFoundError: the file does not exist.
        """
        return await repository.find(self.path_parameters["filename"])

    def repository_url(self, repository: Repository) -> str:
        """Return the URL under which clients reach a repository."""
        return repository_url(self.http, repository)

    def require_form_token(self, token: str | None) -> None:
        """Check the CSRF token of a form.

        Raises:
            ForbiddenError: the token does not belong to this browser's session.
        """
        if token is None or not self.cookies.is_form_token(token, self.session_id):
            raise ForbiddenError(
                "The form was rejected and nothing was changed: its page is too old, or belongs "
                "to another session. Reload the page and try again."
            )

    def add_notice(self, text: str, *, secret: str | None = None) -> None:
        """Show a message on the next page; a secret is shown with it, and never again."""
        self._new_notices.append(Notice(text, secret=secret))

    def render(
        self,
        template: str,
        *,
        status: int = 200,
        reason: str | None = None,
        errors: FormErrors | None = None,
        **context: object,
    ) -> web.Response:
        """Return a page with the pending notices.

        Args:
            template: the file name of the template.
            status: the status of the response.
            reason: what the request log shows.
            errors: the errors of the submitted form, which set status and reason.
            context: the variables of the template.
        """
        if errors:
            status, reason = errors.status, errors.reason
        common: dict[str, Any] = {
            "errors": errors or FormErrors(),
            "form": self.form,
            "organization": self.organization.name,
            "username": self.username,
            "form_token": self.cookies.form_token(self.session_id),
            "notices": self._notices() if self.username is not None else [],
            "path": self.http.path,
            "has_damage": self.username is not None and self.organization.damaged.has_known,
        }
        response = web.Response(
            text=self.render_text(template, {**common, **context}),
            status=status,
            reason=None if reason is None else reason_phrase(reason),
            content_type="text/html",
        )
        if self.username is not None:
            self.cookies.clear_notices(self.http, response)
        return response

    def render_text(self, template: str, context: Mapping[str, Any]) -> str:
        """Return the HTML of a template, for a browser that uses the portal's URL."""
        return self.templates.render(template, context, prefix=prefix_of(self.http))

    def redirect(self, path: str) -> web.Response:
        """Redirect to another page, which then shows the notices."""
        location = prefix_of(self.http) + path
        response = web.Response(status=_SEE_OTHER, headers={"Location": location})
        if self._new_notices and self.username is not None:
            self.cookies.set_notices(self.http, response, self.session_id, self._notices())
        return response

    def _notices(self) -> list[Notice]:
        return [*self.cookies.notices(self.http, self.session_id), *self._new_notices]


@dataclass(frozen=True, slots=True)
class Route:
    """A page or form of the portal.

    A `multipart` form is read by its handler, which also has to check the form's token. For every
    other form the token was checked before the handler is called.
    """

    method: str
    path: str
    handler: Callable[[PortalRequest], Awaitable[web.StreamResponse]]
    sign_in_required: bool = True
    multipart: bool = False
