"""`Expect: 100-continue`: clients send an upload's body once their credentials were accepted.

aiohttp requests the body as soon as it has matched the route. The routes for uploads use
`delay_continue` as their `expect_handler`, so that the handler requests the body itself.
"""

from aiohttp import web

_WAITING = web.RequestKey("waiting", bool)


async def delay_continue(request: web.Request) -> None:
    """Do not send `100 Continue` yet; reject any other expectation."""
    if request.headers["Expect"].lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="Unknown Expect header: use 100-continue.")
    request[_WAITING] = True


def is_waiting_to_send(request: web.BaseRequest) -> bool:
    """Return whether the client waits for `100 Continue` that `delay_continue` held back."""
    return "Expect" in request.headers and _WAITING in request


async def send_continue(request: web.BaseRequest) -> None:
    """Ask a waiting client for the body."""
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
