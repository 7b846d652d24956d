"""Which responses count as downloads."""

from aiohttp import web

from cloudrepo_server.specs.provenance import PROVENANCE_SUFFIX
from cloudrepo_server.testkit.journal import RequestDetails

# A redirect sends the client to the file in the bucket.
_FULL = (web.HTTPOk.status_code, web.HTTPTemporaryRedirect.status_code)
_RANGE = web.HTTPPartialContent.status_code


def is_download(
    request: web.BaseRequest, details: RequestDetails, response: web.StreamResponse
) -> bool:
    """Return whether a response counts as the download of a file.

    Core metadata and provenance are not files. A client may fetch a file in several ranges: only
    the range that begins with the first byte counts. A resumed download therefore counts once, and
    the ranges that installers read for the metadata in a wheel do not count.
    """
    if request.method != "GET" or details.kind != "file" or details.project is None:
        return False
    if details.filename is None or details.filename.endswith(PROVENANCE_SUFFIX):
        return False
    if response.status == _RANGE:
        return response.headers.get("Content-Range", "").startswith("bytes 0-")
    return response.status in _FULL
