"""The URL paths of the portal's pages."""

from urllib.parse import quote, urlencode

from cloudrepo_server.web.portal import HOME

SIGN_IN = "/portal/sign-in"
SIGN_OUT = "/portal/sign-out"
DAMAGED = "/portal/damaged"
CREATE_REPOSITORY = "/portal/create-repository"
USERS = "/portal/users"
CREATE_USER = "/portal/create-user"
TOKENS = "/portal/tokens"
REQUESTS = "/portal/requests"
ACTIVITY = "/portal/activity"
TESTS = "/portal/tests"
TEST = TESTS + "/{repository}"
SEARCH = "/portal/search"
SUGGESTIONS = "/portal/suggestions"
AUDIT = "/portal/audit"
REPOSITORY = "/portal/repositories/{repository}"
PROJECT = REPOSITORY + "/projects/{project}"
RELEASE = PROJECT + "/releases/{version}"
FILE = REPOSITORY + "/files/{filename}"
USER = USERS + "/{email}"


def repository_path(name: str, *parts: str) -> str:
    """Return the path of a repository's page, or of a page below it."""
    return _join("/portal/repositories", name, *parts)


def project_path(repository: str, project: str, *parts: str) -> str:
    """Return the path of a project's page, or of a page below it."""
    return repository_path(repository, "projects", project, *parts)


def release_path(repository: str, project: str, version: str, *parts: str) -> str:
    """Return the path of a release's page, or of a page below it."""
    return project_path(repository, project, "releases", version, *parts)


def file_path(repository: str, filename: str, *parts: str) -> str:
    """Return the path of a file's content, or of a page below it."""
    return repository_path(repository, "files", filename, *parts)


def test_path(repository: str) -> str:
    """Return the path of the page of the test to which a repository belongs."""
    return _join(TESTS, repository)


def query(**parameters: str | None) -> str:
    """Return a query string with these parameters, without those that are None."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return "?" + urlencode(given) if given else ""


def user_path(email: str, *parts: str) -> str:
    """Return the path of a user's page, or of a page below it."""
    return _join(USERS, email, *parts)


def is_portal_path(path: str) -> bool:
    """Return whether a path is one of the portal's own, and so a safe target of a redirect."""
    return path.startswith(HOME) and path.isascii() and path.isprintable() and "\\" not in path


def _join(base: str, *parts: str) -> str:
    return "/".join((base, *(quote(part, safe="") for part in parts)))
