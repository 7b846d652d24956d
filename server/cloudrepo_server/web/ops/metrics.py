"""Metrics for Prometheus: requests, uploads and storage operations."""

from collections.abc import Iterable, Mapping

from aiohttp import web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import (
    BusyError,
    CloudRepoServerError,
    ConflictError,
    FileExistsInRepositoryError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    StalledError,
    StorageError,
    StorageFullError,
    TooLargeError,
    UnauthenticatedError,
)
from cloudrepo_server.web.http.authentication import authenticate
from cloudrepo_server.web.ops.observers import CLIENT_DISCONNECTED, Exchange

METRICS = "/metrics"

# Clients may send any method. Each different label would stay in memory, so unknown methods are
# counted together.
_METHODS = frozenset(("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"))
_CLIENT_ERRORS = 400
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_OUTCOMES: tuple[tuple[type[CloudRepoServerError], str], ...] = (
    (FileExistsInRepositoryError, "exists"),
    (InvalidError, "invalid"),
    (UnauthenticatedError, "unauthenticated"),
    (ForbiddenError, "forbidden"),
    (NotFoundError, "not found"),
    (TooLargeError, "too large"),
    (ConflictError, "conflict"),
    (StalledError, "stalled"),
    (BusyError, "busy"),
    (StorageFullError, "full"),
    (StorageError, "storage"),
)


class Metrics:
    """The metrics since the server started. They name no repository and no user."""

    def __init__(self, storage_counts: Mapping[str, int]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(_StorageCollector(storage_counts))
        self._requests = Counter(
            "cloudrepo_requests",
            "Completed requests.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "cloudrepo_request_seconds",
            "Seconds from the arrival of a request to the end of its response.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "cloudrepo_received_bytes",
            "Bytes received in request bodies.",
            ("route",),
            registry=registry,
        )
        self._sent = Counter(
            "cloudrepo_sent_bytes", "Bytes sent in responses.", ("route",), registry=registry
        )
        self._uploads = Counter(
            "cloudrepo_uploads", "Uploads, accepted and rejected.", ("outcome",), registry=registry
        )
        self._in_flight = Gauge(
            "cloudrepo_requests_in_flight",
            "Requests in flight.",
            registry=registry,
        )

    def request_started(self) -> None:
        """Count a request in flight."""
        self._in_flight.inc()

    def request_finished(self, exchange: Exchange) -> None:
        """Count a completed request."""
        self._in_flight.dec()
        method = exchange.method if exchange.method in _METHODS else "other"
        self._requests.labels(method, exchange.route, exchange.status).inc()
        self._seconds.labels(method, exchange.route).observe(exchange.seconds)
        self._received.labels(exchange.route).inc(exchange.bytes_received)
        self._sent.labels(exchange.route).inc(exchange.bytes_sent)
        # Forms that register a project have no file and are not counted.
        if exchange.is_upload and (exchange.filename or exchange.status >= _CLIENT_ERRORS):
            self._uploads.labels(_outcome(exchange)).inc()


class MetricsPage:
    """The handler of `/metrics`, for the admin and for repository users.

    A repository user may read every repository, so the metrics reveal nothing new. Prometheus can
    thus have the credentials of a read-only user instead of the admin's.
    """

    def __init__(self, organization: Organization, metrics: Metrics) -> None:
        self._organization = organization
        self._metrics = metrics

    async def handle(self, request: web.Request) -> web.Response:
        """Return all metrics in the text format of Prometheus."""
        self._organization.access.require_user(await authenticate(request, self._organization))
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"},
        )


class _StorageCollector(Collector):
    """The counts of storage operations."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(
            "cloudrepo_storage",
            "Operations of a shared object store and their results.",
            labels=("event",),
        )
        for event, count in self._counts.items():
            family.add_metric((event,), count)
        yield family


def _outcome(exchange: Exchange) -> str:
    if exchange.status < _CLIENT_ERRORS:
        return "accepted"
    if exchange.status == CLIENT_DISCONNECTED:
        return "client gone"
    error = exchange.error
    if error is None:
        return "failed"
    return next((name for kind, name in _OUTCOMES if issubclass(error, kind)), "failed")
