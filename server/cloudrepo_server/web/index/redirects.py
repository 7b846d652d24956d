"""Redirects to the canonical URLs of pages and of uploads, and to files on another host."""

from http import HTTPStatus
from time import time

from aiohttp import web

from cloudrepo_server.specs.file_urls import FileUrls
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import reason_phrase
from cloudrepo_server.web.http.urls import base_url_of, prefix_of
from cloudrepo_server.web.index.read_target import ReadTarget


def redirect_to_canonical(request: web.Request, target: ReadTarget, status: int) -> web.Response:
    """Return the redirect to the canonical URL of a page, or of a project's JSON.

    The new path differs from the client's own path, which may be one of an impersonated host, in
    the name and the slash only.
    """
    path, _, query = request.rel_url.raw_path_qs.partition("?")
    segments = path.rstrip("/").split("/")
    if target.kind == "json":
        segments[-2 if target.version is None else -3] = target.project
    else:
        if target.kind == "page":
            segments[-1] = target.project
        segments.append("")
    location = "/".join(segments) + (f"?{query}" if query else "")
    location = prefix_of(request) + location
    return web.Response(status=status, headers={"Location": location})


def redirect_to_file(
    urls: FileUrls, target: ReadTarget, *, seconds: float, status: int
) -> web.Response:
    """Return the redirect to the signed URL of a file on another host.

    Args:
        urls: the URLs of the files.
        target: the requested file.
        seconds: how long the URL is valid.
        status: the status of the response.
    """
    location = urls.signed_url(target.project, target.filename, expires=int(time() + seconds))
    # Everybody who has the URL can download the file, so no cache may keep it.
    headers = {"Location": location, "Cache-Control": "no-store"}
    return web.Response(status=status, headers=headers)


def redirect_to_upload_url(request: web.Request) -> web.Response:
    """Return PyPI's redirect from an upload URL without a slash at its end."""
    from cloudrepo_server.specs.pypi_rules.form import UPLOAD_URL

    error = UPLOAD_URL.broken().error()
    state_of(request).error = error
    # The URL is absolute, as on PyPI: twine compares it with its upload URL to explain the mistake.
    location = f"{base_url_of(request)}{request.rel_url.raw_path}/"
    response = web.Response(headers={"Location": location})
    response.set_status(HTTPStatus.PERMANENT_REDIRECT, reason_phrase(str(error)))
    return response
