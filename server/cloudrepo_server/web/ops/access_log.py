"""One line of the log for every request."""

import logging

from cloudrepo_server.logs import FIELDS
from cloudrepo_server.web.ops.exchange import Exchange

log = logging.getLogger("cloudrepo_server")

_REFUSED = 400
_FAILED = 500


class RequestLog:
    """Tells every request to the log."""

    def begun(self) -> None:
        """Wait for its end."""

    def ended(self, exchange: Exchange) -> None:
        """Tell it."""
        fields = {
            "request_id": exchange.request_id,
            "method": exchange.method,
            "path": exchange.path,
            "repository": exchange.repository,
            "project": exchange.project,
            "file": exchange.filename,
            "user": exchange.user,
            "status": exchange.status,
            "reason": exchange.reason if exchange.status >= _REFUSED else None,
            "bytes_received": exchange.bytes_received,
            "bytes_sent": exchange.bytes_sent,
            "seconds": round(exchange.seconds, 6),
            "user_agent": exchange.user_agent or None,
        }
        level = logging.ERROR if exchange.status >= _FAILED else logging.INFO
        log.log(level, "request", extra={FIELDS: fields})
