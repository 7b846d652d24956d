"""Reports of responses that do not pass through the middleware.

These are aiohttp's own responses to malformed requests and to requests with an unknown `Expect`
header, and the responses of the proxy itself.
"""

import logging
from collections.abc import Sequence

from aiohttp import web

from cloudrepo_server.logs import FIELDS
from cloudrepo_server.web.http.request_state import create_missing_state
from cloudrepo_server.web.ops.observers import Exchange, Observer

log = logging.getLogger("cloudrepo_server")


class EarlyResponses:
    """The reports of these responses to the access log and the metrics."""

    def __init__(self, observers: Sequence[Observer], *, logs_rejections: bool) -> None:
        """Prepare the reports.

        Args:
            observers: the access log and the metrics.
            logs_rejections: log each rejected request; unnecessary with an access log.
        """
        self._observers = observers
        self._logs_rejections = logs_rejections

    def report_response(self, request: web.Request, response: web.StreamResponse) -> None:
        """Report a response that is about to be sent, unless a middleware reports it."""
        state = create_missing_state(request)
        if state is None:
            return
        self.report(
            request.method,
            request.rel_url.raw_path,
            response.status,
            response.reason,
            request_id=state.request_id,
            bytes_sent=response.content_length or 0,
            user_agent=request.headers.get("User-Agent", ""),
        )

    def report(
        self,
        method: str,
        path: str,
        status: int,
        reason: str,
        *,
        request_id: str,
        bytes_sent: int = 0,
        user_agent: str = "",
    ) -> None:
        """Report a rejected request.

        Args:
            method: the method of the request.
            path: its path, or the destination of a request to the proxy; without secrets.
            status: the status of the response.
            reason: the reason phrase of the response.
            request_id: the id of the request.
            bytes_sent: the size of the response's body.
            user_agent: the client that sent the request.
        """
        if self._logs_rejections:
            fields = {FIELDS: {"request_id": request_id}}
            log.info("%s %s %d %s", method, path, status, reason, extra=fields)
        exchange = Exchange(
            request_id=request_id,
            method=method,
            path=path,
            route="other",
            repository=None,
            project=None,
            filename=None,
            user=None,
            is_upload=False,
            status=status,
            reason=reason,
            error=None,
            bytes_received=0,
            bytes_sent=bytes_sent,
            seconds=0.0,
            user_agent=user_agent,
        )
        for observer in self._observers:
            observer.request_started()
            observer.request_finished(exchange)
