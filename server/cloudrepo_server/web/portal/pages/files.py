"""A repository's files: download."""

from aiohttp import web

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.web.http.file_response import file_response
from cloudrepo_server.web.http.streamed_response import send_if_streamed
from cloudrepo_server.web.portal.paths import FILE
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route


async def download(request: PortalRequest) -> web.StreamResponse:
    """Return a file's content, since the admin user cannot download from the repository itself."""
    repository = await request.repository()
    _, file = await request.file(repository)
    http = request.http
    headers = {"Content-Disposition": f'attachment; filename="{file.filename}"'}
    try:
        response = await file_response(http, repository.content(file), headers=headers)
    except FileNotFoundError:
        raise NotFoundError(
            f"{file.filename} was not found: it has just been replaced. Try again."
        ) from None
    return await send_if_streamed(http, response)


ROUTES = (Route("GET", FILE, download),)
