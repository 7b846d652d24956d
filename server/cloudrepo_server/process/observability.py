"""Who watches a server, where somebody is asked to: the log of all requests, and the metrics."""

from importlib.util import find_spec

from aiohttp import web
from aiohttp.typedefs import Middleware

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.logs import LogFormat
from cloudrepo_server.storage import Storage


def require_prometheus() -> None:
    """Return if there can be metrics.

    Raises:
        InvalidError: the extra `metrics` is not installed.
    """
    if find_spec("prometheus_client") is None:
        raise InvalidError("--metrics needs prometheus-client: install pytest-cloudrepo[metrics].")


class Watching:
    """What sees every request and its answer, if anything does, and where it is asked for it."""

    def __init__(
        self,
        organization: Organization,
        storage: Storage,
        *,
        log_format: LogFormat | None,
        metrics: bool,
    ) -> None:
        self.middleware: Middleware | None = None
        self.routes: list[web.RouteDef] = []
        self.tells_refusals = log_format is not None
        if log_format is None and not metrics:
            return
        # Imported where it is asked for, so that the server of a test starts sooner.
        from cloudrepo_server.web.ops.exchange import Observer, watched_by

        observers: list[Observer] = []
        if log_format is not None:
            from cloudrepo_server.web.ops.access_log import RequestLog

            observers.append(RequestLog())
        if metrics:
            from cloudrepo_server.web.ops.metrics import METRICS, Metrics, MetricsPage

            counted = Metrics(storage.counts)
            observers.append(counted)
            self.routes.append(web.get(METRICS, MetricsPage(organization, counted).answer))
        self.middleware = watched_by(observers)
