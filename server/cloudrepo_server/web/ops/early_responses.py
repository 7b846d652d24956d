"""Reports of responses that aiohttp makes before it calls any middleware.

These are responses to malformed requests, and to requests with an unknown `Expect` header.
"""

import logging
from collections.abc import Callable, Sequence

from aiohttp import web

from cloudrepo_server.web.http.request_state import create_missing_state, log_fields
from cloudrepo_server.web.ops.exchange import Exchange, Observer

log = logging.getLogger("cloudrepo_server")

Report = Callable[[web.Request, web.StreamResponse], None]
"""Reports a response that is about to be sent, unless a middleware reports it."""


def report_early_responses(observers: Sequence[Observer], *, logs_rejections: bool) -> Report:
    """Return the function that reports early responses.

    Args:
        observers: the access log and the metrics.
        logs_rejections: log each rejected request; unnecessary with an access log.
    """

    def report(request: web.Request, response: web.StreamResponse) -> None:
        state = create_missing_state(request)
        if state is None:
            return
        if logs_rejections:
            log.info(
                "%s %s %d %s",
                request.method,
                request.rel_url.raw_path,
                response.status,
                response.reason,
                extra=log_fields(request),
            )
        exchange = Exchange(
            request_id=state.request_id,
            method=request.method,
            path=request.rel_url.raw_path,
            route="other",
            repository=None,
            project=None,
            filename=None,
            user=None,
            is_upload=False,
            status=response.status,
            reason=response.reason,
            error=None,
            bytes_received=0,
            bytes_sent=response.content_length or 0,
            seconds=0.0,
            user_agent=request.headers.get("User-Agent", ""),
        )
        for observer in observers:
            observer.request_started()
            observer.request_finished(exchange)

    return report
