"""Discovery of trusted publishing: the endpoints of an upload URL (PEP 807)."""

from aiohttp import web

from cloudrepo_server.domain.organization import is_repository_name
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.http.paths import PRIVATE
from cloudrepo_server.web.http.responses import json_response

DISCOVERY = "/.well-known/pytp"
OIDC = "/_/oidc/"
"""The beginning of the paths of audience and token minting, as on PyPI."""
OIDC_OF_REPOSITORY = OIDC + "repositories/"
"""The beginning of the same paths for one repository, whose name follows."""


def discovery_response(url: str, base: str) -> web.Response:
    """Return the URLs of the endpoints.

    Args:
        url: the URL of the server, without a slash at its end.
        base: the path of the endpoints on the server, with a slash at its end.
    """
    return json_response(
        {
            "audience-endpoint": f"{url}{base}audience",
            "token-mint-endpoint": f"{url}{base}mint-token",
        }
    )


def upload_path_of(request: web.Request) -> str:
    """Return the path of the upload URL that a discovery request names.

    Raises:
        NotFoundError: the request names no upload URL.
    """
    path = request.query.get("discover")
    if path is None:
        raise NotFoundError(
            f"No upload URL is given: add its path, as in {DISCOVERY}?discover=/legacy/."
        )
    return path


def repository_of(upload_path: str) -> str:
    """Return the name of the repository whose upload URL has this path on the server's own host.

    Raises:
        NotFoundError: no repository has such a URL.
    """
    base, _, name = upload_path.rstrip("/").rpartition("/")
    if base != PRIVATE or not is_repository_name(name):
        raise NotFoundError(f"No upload URL of this server has the path {upload_path[:200]}.")
    return name
