"""Who watches a server, where somebody is asked to: the log of all requests, and the metrics."""

from importlib.util import find_spec

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.logs import LogFormat
from cloudrepo_server.storage import Storage
from cloudrepo_server.web.ops.access_log import AccessLog
from cloudrepo_server.web.ops.exchange import Observer


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
        self.observers: list[Observer] = []
        self.routes: list[web.RouteDef] = []
        self.tells_refusals = log_format is not None
        if log_format is not None:
            self.observers.append(AccessLog())
        if metrics:
            # Imported only if requested, so that the server of a test starts sooner.
            from cloudrepo_server.web.ops.metrics import METRICS, Metrics, MetricsPage

            counted = Metrics(storage.counts)
            self.observers.append(counted)
            self.routes.append(web.get(METRICS, MetricsPage(organization, counted).answer))
