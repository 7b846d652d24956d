"""Where the portal's pages are."""

from urllib.parse import quote

HOME = "/portal/"
SIGN_IN = "/portal/sign-in"
CREATE_REPOSITORY = "/portal/create-repository"
USERS = "/portal/users"
CREATE_USER = "/portal/create-user"
TOKENS = "/portal/tokens"
ACTIVITY = "/portal/activity"
REPOSITORY = "/portal/repositories/{repository}"
USER = USERS + "/{email}"


def repository_path(name: str, *parts: str) -> str:
    """The path of a repository's page, or of one below it."""
    return _joined("/portal/repositories", name, *parts)


def user_path(email: str, *parts: str) -> str:
    """The path of a user's page, or of one below it."""
    return _joined(USERS, email, *parts)


def is_portal_path(path: str) -> bool:
    """Whether to lead there after signing in: a path of the portal and nothing else."""
    return path.startswith(HOME) and path.isascii() and path.isprintable() and "\\" not in path


def _joined(base: str, *parts: str) -> str:
    return "/".join((base, *(quote(part, safe="") for part in parts)))
