"""Determines whether a fault can change a response. If it cannot, the next fault takes effect."""

from aiohttp import web

from cloudrepo_server.testkit import fault_kinds as kinds
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.streamed_response import StreamedResponse

VIEW_FAULTS = (
    kinds.StalePage,
    kinds.WrongHash,
    kinds.WrongMetadataHash,
    kinds.MissingMetadata,
    kinds.WrongSize,
    kinds.OtherMetadata,
)
"""The kinds that change what a request reads."""


def can_change(
    fault: kinds.Fault,
    request: web.Request,
    response: web.StreamResponse,
    *,
    view_changed: bool,
) -> bool:
    """Return whether a fault has something to change in the response to a read.

    Args:
        fault: the fault.
        request: the client's request.
        response: the response that the fault would change, which is not sent yet.
        view_changed: whether the faults changed what the request read.
    """
    if isinstance(fault, VIEW_FAULTS):
        replaces_content = isinstance(fault, kinds.OtherMetadata)
        return view_changed or (replaces_content and state_of(request).details.kind == "metadata")
    changes = True
    match fault:
        case kinds.Truncate(keep=keep):
            size = size_of(response)
            changes = has_body(request, response) and (size is None or keep < size)
        case kinds.Corrupt() | kinds.Drip() | kinds.Reset():
            changes = has_body(request, response)
        case kinds.IgnoreRange():
            changes = "Range" in request.headers
        case kinds.WrongRange():
            changes = response.status == web.HTTPPartialContent.status_code
        case kinds.MissingETag():
            changes = "ETag" in response.headers
        case kinds.WrongContentType(content_type=content_type):
            changes = response.headers.get("Content-Type") != content_type
        case kinds.CloseKeepAlive():
            changes = request.keep_alive and response.keep_alive is not False
    return changes


def body_of(response: web.StreamResponse) -> bytes:
    """Return the body of a response that is not streamed."""
    body = response.body if isinstance(response, web.Response) else None
    return body if isinstance(body, bytes) else b""


def size_of(response: web.StreamResponse) -> int | None:
    """Return the size of a response's body, or None if it is not known."""
    if isinstance(response, StreamedResponse):
        return response.content_length
    return len(body_of(response))


def has_body(request: web.BaseRequest, response: web.StreamResponse) -> bool:
    """Return whether the response to a request has a body."""
    if request.method == "HEAD":
        return False
    if isinstance(response, StreamedResponse):
        return not response.is_empty
    return bool(body_of(response))
