"""The address of the client that sent a request, also through a trusted proxy."""

from ipaddress import ip_address

from aiohttp import web

from cloudrepo_server.web.http.request_state import state_of

_HEADER = "X-Forwarded-For"


def client_address(request: web.BaseRequest) -> str:
    """Return the IP address of the client.

    Behind a trusted proxy, this is the last address in `X-Forwarded-For`: the client itself may
    have sent the earlier ones. Otherwise it is the address of the connection.
    """
    forwarded = _forwarded_address(request) if state_of(request).behind_proxy else None
    return forwarded or request.remote or ""


def _forwarded_address(request: web.BaseRequest) -> str | None:
    values = request.headers.getall(_HEADER, None)
    if not values:
        return None
    last = values[-1].rpartition(",")[2].strip()
    # Some proxies add the port.
    if last.startswith("["):
        last = last[1:].partition("]")[0]
    elif last.count(":") == 1:
        last = last.partition(":")[0]
    try:
        return str(ip_address(last))
    except ValueError:
        return None
