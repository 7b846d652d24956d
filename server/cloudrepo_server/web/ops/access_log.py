"""The access log: one line for every request, or for every rejected request."""

import logging

from aiohttp import web
from aiohttp.typedefs import Handler

from cloudrepo_server.logs import FIELDS
from cloudrepo_server.web.http.request_state import log_fields
from cloudrepo_server.web.ops.observers import Exchange

log = logging.getLogger("cloudrepo_server")

_CLIENT_ERRORS = 400
_SERVER_ERRORS = 500


class AccessLog:
    """Logs every request with its response."""

    def request_started(self) -> None:
        """Log nothing yet."""

    def request_finished(self, exchange: Exchange) -> None:
        """Log the request."""
        fields = {
            "request_id": exchange.request_id,
            "method": exchange.method,
            "path": exchange.path,
            "repository": exchange.repository,
            "project": exchange.project,
            "file": exchange.filename,
            "user": exchange.user,
            "status": exchange.status,
            "reason": exchange.reason if exchange.status >= _CLIENT_ERRORS else None,
            "bytes_received": exchange.bytes_received,
            "bytes_sent": exchange.bytes_sent,
            "seconds": round(exchange.seconds, 6),
            "user_agent": exchange.user_agent or None,
        }
        level = logging.ERROR if exchange.status >= _SERVER_ERRORS else logging.INFO
        log.log(level, "request", extra={FIELDS: fields})


@web.middleware
async def log_rejections(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Log each request that is rejected or fails, for servers without an access log."""
    response = await handler(request)
    if response.status >= _CLIENT_ERRORS:
        # The path and the reason contain no secrets: credentials are in headers and bodies.
        log.info(
            "%s %s %d %s",
            request.method,
            request.rel_url.raw_path,
            response.status,
            response.reason,
            extra=log_fields(request),
        )
    return response
