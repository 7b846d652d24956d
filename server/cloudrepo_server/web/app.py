"""The routes, and the middlewares that every request passes through."""

from collections.abc import Iterable, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.web.admin.routes import AdminApi
from cloudrepo_server.web.http.audit import record_before_response, record_without_response
from cloudrepo_server.web.http.cross_site import reject_cross_site_changes
from cloudrepo_server.web.http.error_mapping import map_errors
from cloudrepo_server.web.http.expect import delay_continue
from cloudrepo_server.web.http.fresh_reads import require_fresh_reads
from cloudrepo_server.web.http.in_flight import (
    InFlightRequests,
    close_if_body_unread,
    limit_in_flight,
    track_in_flight,
)
from cloudrepo_server.web.http.methods import READS, allow_methods
from cloudrepo_server.web.http.middleware import with_middlewares
from cloudrepo_server.web.http.paths import FILES, PRIVATE, PUBLIC
from cloudrepo_server.web.http.request_state import (
    LIMITS,
    add_request_id,
    create_request_state,
)
from cloudrepo_server.web.impersonation.handler import (
    ImpersonationHandler,
    serve_impersonated_hosts,
)
from cloudrepo_server.web.impersonation.https_listeners import HttpsListeners
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.index.file_host import FileHost, resolve_file
from cloudrepo_server.web.index.file_host_urls import FileHostUrls
from cloudrepo_server.web.index.handler import IndexHandler
from cloudrepo_server.web.index.journal import write_journal
from cloudrepo_server.web.index.remote_index import UpstreamClient
from cloudrepo_server.web.index.resolve import resolve_repository
from cloudrepo_server.web.ops.access_log import log_rejections
from cloudrepo_server.web.ops.health import Health
from cloudrepo_server.web.ops.observers import Observer, observe_requests
from cloudrepo_server.web.ops.recording import complete_entries
from cloudrepo_server.web.portal import HOME, Portal
from cloudrepo_server.web.trust.handler import TrustHandler

# Monitoring must work even while the server rejects other requests as too many.
_MONITORING = ("/healthz", "/readyz", "/metrics")


def create_application(
    organization: Organization,
    proxy: Proxy,
    https: HttpsListeners,
    in_flight: InFlightRequests,
    *,
    observers: Sequence[Observer] = (),
    routes: Iterable[web.RouteDef] = (),
    logs_rejections: bool = True,
    behind_proxy: bool = False,
    files_url: str | None = None,
    prepare_portal: bool = False,
) -> web.Application:
    """Return the application that serves an organization.

    Args:
        organization: its repositories, users and tokens are served.
        proxy: the proxy through which subprocesses reach impersonated hosts.
        https: the listeners for HTTPS that the admin API opens.
        in_flight: the requests in flight, for the graceful shutdown.
        observers: the access log and the metrics.
        routes: further routes.
        logs_rejections: log each rejected request; unnecessary with an access log.
        behind_proxy: trust the headers of a proxy in front of this server.
        files_url: the URL at which clients reach this server under another host name.
        prepare_portal: whether to import the portal while the server is idle.
    """
    upstream_client = UpstreamClient()
    organization.upstreams.connect = upstream_client.connect
    index = IndexHandler(organization, upstream_client, FileHostUrls(organization, files_url))
    file_host = FileHost(organization, index)

    # Requests to repositories pass through these, outermost first.
    resolve, journal = resolve_repository(organization), write_journal(organization.testkit)
    handle_private = with_middlewares(
        index.handle_private, allow_methods(*READS, "POST"), resolve, journal
    )
    portal = Portal(organization, proxy, in_flight, prepare=prepare_portal)
    handle_public = with_middlewares(
        index.handle_public,
        allow_methods(*READS, message="Only Reads are allowed"),
        resolve,
        journal,
        portal.show_public_pages,
    )
    handle_file = with_middlewares(
        file_host.handle,
        allow_methods(*READS, message="Only Reads are allowed"),
        resolve_file(organization),
        journal,
    )

    # Every request passes through these, outermost first.
    trust = TrustHandler(organization)
    impersonated = ImpersonationHandler(
        organization, handle_private, handle_public, handle_file, trust
    )
    middlewares: list[Middleware | None] = [
        create_request_state(behind_proxy=behind_proxy),
        record_without_response(organization.audit),
        observe_requests(observers) if observers else None,
        track_in_flight(in_flight),
        close_if_body_unread,
        log_rejections if logs_rejections else None,
        map_errors(realm=organization.name),
        limit_in_flight(in_flight, organization.limits.requests, exempt=_MONITORING),
        reject_cross_site_changes,
        require_fresh_reads(organization) if organization.shared else None,
        serve_impersonated_hosts(impersonated),
    ]
    application = web.Application(
        middlewares=[middleware for middleware in middlewares if middleware is not None]
    )
    application[LIMITS] = organization.limits
    application.on_response_prepare.extend(
        [
            add_request_id,
            complete_entries(organization.testkit),
            record_before_response(organization.audit),
        ]
    )
    application.on_cleanup.append(lambda _: upstream_client.close())
    application.cleanup_ctx.append(portal.preparation.run_in_background)

    router = application.router
    health = Health(organization, in_flight)
    router.add_get("/healthz", health.alive)
    router.add_get("/readyz", health.ready)
    # A client that sends `Expect: 100-continue` must wait with the body until it is authenticated.
    router.add_route("*", PRIVATE + "{below:.*}", handle_private, expect_handler=delay_continue)
    router.add_route("*", PUBLIC + "{below:.*}", handle_public, expect_handler=delay_continue)
    router.add_route("*", FILES + "/{below:.*}", handle_file)
    router.add_routes(trust.routes())
    # These routes check credentials themselves; see `AdminApi.routes` and `MetricsPage`.
    router.add_routes([*AdminApi(organization, proxy, https).routes(), *routes])
    router.add_get("/", portal.redirect_home)
    router.add_get("/portal", portal.redirect_home)
    router.add_route("*", HOME + "{below:.*}", portal.handle, expect_handler=delay_continue)
    return application
