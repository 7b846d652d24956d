"""The login of a request to a repository, as the repository's settings require it."""

from aiohttp import web

from cloudrepo_server.domain.access import RepositoryUser, TokenBearer, any_login
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.users import is_address
from cloudrepo_server.domain.visibility import ANY, NOTHING, UPLOAD, PrivateProjects, no_login_error
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.http.authentication import authenticate
from cloudrepo_server.web.http.authorization import parse_authorization
from cloudrepo_server.web.http.request_state import state_of

_ANONYMOUS_NAME = ""
_BEARER_NAME = "bearer"


async def require_login(
    request: web.Request,
    organization: Organization,
    repository: Repository | None,
    *,
    is_upload: bool,
) -> RepositoryUser | TokenBearer:
    """Return the principal of a request for a private URL.

    Raises:
        CloudRepoServerError: the login is wrong, or it is missing and the repository needs one.
    """
    state = state_of(request)
    if state.principal is not None:
        return organization.access.require_repository_user(state.principal)
    if repository is not None:
        settings = repository.document
        if not _has_login(request):
            if settings.anonymous == UPLOAD or (settings.anonymous != NOTHING and not is_upload):
                return RepositoryUser(_ANONYMOUS_NAME, read_only=settings.anonymous != UPLOAD)
        elif settings.logins == ANY:
            username, password = parse_authorization(request.headers["Authorization"]) or ("", "")
            return any_login(_BEARER_NAME if username is None else username, password)
    principal = await authenticate(request, organization)
    if repository is not None and isinstance(principal, RepositoryUser):
        _check_user_name(repository, principal)
    if repository is not None and isinstance(principal, TokenBearer):
        _check_user_name_of_token(repository, principal, request.headers["Authorization"])
    return organization.access.require_repository_user(principal, repository)


def _has_login(request: web.Request) -> bool:
    # twine always sends a login, in which user name and password may be empty.
    header = request.headers.get("Authorization")
    if header is None:
        return False
    try:
        return parse_authorization(header) != ("", "")
    except UnauthenticatedError:
        return True


async def optional_login(
    request: web.Request, organization: Organization, repository: Repository
) -> RepositoryUser | TokenBearer | None:
    """Return the principal of a read request for a public URL, or None.

    The login is checked only if the repository has private projects.

    Raises:
        CloudRepoServerError: the login is wrong, or may not read the repository.
    """
    if not repository.document.private_projects or "Authorization" not in request.headers:
        return None
    principal = await require_login(request, organization, repository, is_upload=False)
    organization.access.require_permission(principal, repository, write=False)
    return principal


def _check_user_name(repository: Repository, user: RepositoryUser) -> None:
    if repository.dialect.user_names_are_addresses and not is_address(user.name):
        raise UnauthenticatedError(
            f"The user name {user.name} is not an e-mail address, as the dialect "
            f"{repository.dialect.name} requires."
        )


def _check_user_name_of_token(repository: Repository, bearer: TokenBearer, header: str) -> None:
    names = repository.dialect.token_user_names
    username, _ = parse_authorization(header) or (None, "")
    # The clients of trusted publishing choose the user name.
    if not names or username is None or username in names or bearer.upload_only:
        return
    allowed = " or ".join(repr(name) for name in names)
    raise UnauthenticatedError(
        f"The dialect {repository.dialect.name} accepts tokens with the user name {allowed} only."
    )


def private_projects(
    repository: Repository, principal: RepositoryUser | TokenBearer | None
) -> PrivateProjects | None:
    """Return the projects that a principal cannot see, or None if it can see all."""
    if principal is not None and principal.name:
        return None
    return PrivateProjects.of(repository.document) if repository.document.private_projects else None


def check_visible(repository: Repository, project: str, private: PrivateProjects | None) -> None:
    """Check that the sender of a request may see a project.

    The error does not depend on whether the project exists.

    Raises:
        CloudRepoServerError: the project is private, and the request has no login.
    """
    if private is not None and project in private:
        raise no_login_error(
            repository.no_login_status,
            f"Credentials are required for the project {project}.",
            repository.project_not_found(project),
        )
