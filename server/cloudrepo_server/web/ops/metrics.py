"""What Prometheus is told: counts and times of requests, uploads and the store."""

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
from cloudrepo_server.web.ops.exchange import CLIENT_DISCONNECTED, Exchange

METRICS = "/metrics"

# Clients may send any word, and each would be kept for ever.
_METHODS = frozenset(("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"))
_REFUSED = 400
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
    """Counts since the server's start, which nothing of one repository or user is told by."""

    def __init__(self, stored: Mapping[str, int]) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        registry.register(_StorageCollector(stored))
        self._requests = Counter(
            "cloudrepo_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "cloudrepo_request_seconds",
            "Seconds from a request's head to the end of its answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "cloudrepo_received_bytes",
            "Bytes of the bodies of requests.",
            ("route",),
            registry=registry,
        )
        self._sent = Counter(
            "cloudrepo_sent_bytes", "Bytes of answers.", ("route",), registry=registry
        )
        self._uploads = Counter(
            "cloudrepo_uploads", "Files published or refused.", ("outcome",), registry=registry
        )
        self._in_flight = Gauge(
            "cloudrepo_requests_in_flight",
            "Requests that are being answered.",
            registry=registry,
        )

    def request_started(self) -> None:
        """Count a request in."""
        self._in_flight.inc()

    def request_finished(self, exchange: Exchange) -> None:
        """Count it out, by what was answered."""
        self._in_flight.dec()
        method = exchange.method if exchange.method in _METHODS else "other"
        self._requests.labels(method, exchange.route, exchange.status).inc()
        self._seconds.labels(method, exchange.route).observe(exchange.seconds)
        self._received.labels(exchange.route).inc(exchange.bytes_received)
        self._sent.labels(exchange.route).inc(exchange.bytes_sent)
        # A form may ask for nothing to be stored.
        if exchange.is_upload and (exchange.filename or exchange.status >= _REFUSED):
            self._uploads.labels(_outcome(exchange)).inc()


class MetricsPage:
    """Answers `/metrics` to whoever belongs to the organization.

    A repository user reaches every repository, so this tells him nothing that he might not know;
    so Prometheus need not have the admin user's login.
    """

    def __init__(self, organization: Organization, metrics: Metrics) -> None:
        self._organization = organization
        self._metrics = metrics

    async def answer(self, request: web.Request) -> web.Response:
        """All counts, as Prometheus reads them."""
        self._organization.access.require_user(await authenticate(request, self._organization))
        return web.Response(
            body=generate_latest(self._metrics.registry),
            headers={"Content-Type": CONTENT_TYPE_LATEST, "Cache-Control": "no-store"},
        )


class _StorageCollector(Collector):
    """What the storage counts by itself."""

    def __init__(self, stored: Mapping[str, int]) -> None:
        self._stored = stored

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(
            "cloudrepo_storage",
            "What a shared object store was asked and answered.",
            labels=("event",),
        )
        for event, count in self._stored.items():
            family.add_metric((event,), count)
        yield family


def _outcome(exchange: Exchange) -> str:
    if exchange.status < _REFUSED:
        return "accepted"
    if exchange.status == CLIENT_DISCONNECTED:
        return "client gone"
    refusal = exchange.error
    if refusal is None:
        return "failed"
    return next((name for kind, name in _OUTCOMES if issubclass(refusal, kind)), "failed")
