"""The optional observers of a server's requests: the access log and the metrics."""

from importlib.util import find_spec
from typing import NamedTuple

from aiohttp import web

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.logs import LogFormat
from cloudrepo_server.storage import Storage
from cloudrepo_server.web.ops.access_log import AccessLog
from cloudrepo_server.web.ops.observers import Observer


def require_prometheus() -> None:
    """Check that the extra `metrics` is installed.

    Raises:
        InvalidError: the extra is not installed.
    """
    if find_spec("prometheus_client") is None:
        raise InvalidError(
            "--metrics requires prometheus-client: install pytest-cloudrepo[metrics]"
        )


class Observability(NamedTuple):
    """The observers that are enabled, and the routes that they need."""

    observers: list[Observer]
    routes: list[web.RouteDef]


def create_observability(
    organization: Organization, storage: Storage, *, log_format: LogFormat | None, metrics: bool
) -> Observability:
    """Create the access log if it has a format, and the metrics if they are enabled."""
    enabled = Observability([], [])
    if log_format is not None:
        enabled.observers.append(AccessLog())
    if metrics:
        # Imported here because prometheus-client belongs to an extra.
        from cloudrepo_server.web.ops.metrics import METRICS, Metrics, MetricsPage

        collected = Metrics(storage.counts)
        enabled.observers.append(collected)
        enabled.routes.append(web.get(METRICS, MetricsPage(organization, collected).handle))
    return enabled
