"""Distinguishes browsers from installers."""

from aiohttp import web

from cloudrepo_server.web.http.methods import READS
from cloudrepo_server.web.index.pages import joined_header

_OF_BROWSERS = ("text/html", "application/xhtml+xml")
_OF_INSTALLERS = "application/vnd.pypi."


def is_page_load(request: web.BaseRequest) -> bool:
    """Return whether a browser loads a page, without a login.

    Browsers accept XHTML. No installer does, not even one that accepts HTML only. The parameter
    `format` of a query selects a format of the simple API.
    """
    accept = joined_header(request, "Accept").lower()
    return (
        request.method in READS
        and "Authorization" not in request.headers
        and "format" not in request.query
        and all(each in accept for each in _OF_BROWSERS)
        and _OF_INSTALLERS not in accept
    )
