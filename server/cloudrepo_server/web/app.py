"""The routes, in one place, and what every answer passes through."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic

from aiohttp import web
from aiohttp.http_exceptions import TransferEncodingError
from aiohttp.typedefs import Handler, Middleware

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import BusyError, CloudRepoServerError, StorageError
from cloudrepo_server.logs import FIELDS
from cloudrepo_server.web.admin.routes import OPENAPI_PATH, AdminApi
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.paths import PRIVATE, PUBLIC
from cloudrepo_server.web.http.request_state import (
    LIMITS,
    accept_forwarded_scheme,
    create_request_state,
    state_of,
)
from cloudrepo_server.web.http.responses import error_response, exception_response
from cloudrepo_server.web.impersonation.handler import ImpersonationHandler
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.index.handler import Index
from cloudrepo_server.web.index.remote_index import Remote
from cloudrepo_server.web.ops.health import Health
from cloudrepo_server.web.portal import HOME, Portal

log = logging.getLogger("cloudrepo_server")

Dispatch = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

_SERVER = "cloudrepo-server"
_WAITS = "waits"
# What looks after a server must know that it lives, however busy it is.
_ALWAYS = ("/healthz", "/readyz", "/metrics")
_STALLED = 408
_CLIENT_ERRORS = 400
_SERVER_ERRORS = 500


def create_application(
    organization: Organization,
    proxy: Proxy,
    in_flight: InFlightRequests,
    *,
    watch: Middleware | None = None,
    routes: Iterable[web.RouteDef] = (),
    log_refusals: bool = True,
    behind_proxy: bool = False,
) -> web.Application:
    """What answers for an organization.

    Args:
        organization: whose repositories, users and tokens these are.
        proxy: through which programs reach hosts that repositories stand for.
        in_flight: where it is noted what is in flight.
        watch: what sees every request and its answer.
        routes: what else is answered.
        log_refusals: whether the log is told of requests that were refused.
        behind_proxy: whether a proxy in front is believed how it was reached.
    """
    remote = Remote()
    organization.upstreams.connect = remote.connect
    index, api = Index(organization, remote), AdminApi(organization, proxy)
    impersonated = ImpersonationHandler(organization, index)
    dispatch = _dispatcher(proxy, impersonated, api, in_flight, organization.limits.requests)
    answer = _answering(organization, dispatch, log_refusals=log_refusals)

    @web.middleware
    async def account(request: web.Request, handler: Handler) -> web.StreamResponse:
        state = create_request_state(request)
        state.awaits_continue = "Expect" in request.headers and _WAITS in request
        if behind_proxy:
            accept_forwarded_scheme(request)
        connection = request.protocol
        in_flight.add(connection)
        try:
            response = await answer(request, handler)
            if state.awaits_continue or response.status == _STALLED:
                await _end(request, response)
            elif in_flight.stopping:
                await _send_and_close(request, response)
            return response
        finally:
            in_flight.remove(connection)

    middlewares = [account] if watch is None else [watch, account]
    application = web.Application(middlewares=middlewares)
    application[LIMITS] = organization.limits
    application.on_response_prepare.append(_sign)
    application.on_cleanup.append(lambda _: remote.close())
    health = Health(organization, in_flight)
    application.router.add_get("/healthz", health.alive)
    application.router.add_get("/readyz", health.ready)
    # Who asks is settled before a body is asked for, hence no "100 Continue" by itself.
    for prefix, handle in ((PRIVATE, index.private), (PUBLIC, index.public)):
        application.router.add_route("*", prefix + "{below:.*}", handle, expect_handler=_wait)
    application.router.add_routes([*api.routes(), *routes])
    portal = Portal(organization)
    application.router.add_get("/", portal.redirect_home)
    application.router.add_get("/portal", portal.redirect_home)
    application.router.add_route("*", HOME + "{below:.*}", portal.handle, expect_handler=_wait)
    return application


def _answering(organization: Organization, dispatch: Dispatch, *, log_refusals: bool) -> Dispatch:
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = monotonic()
        organization.require_fresh()
        try:
            response = await dispatch(request, handler)
        except CloudRepoServerError as error:
            state = state_of(request)
            state.error = error
            if isinstance(error, StorageError):
                # What the client is not told: it may hold paths and URLs.
                log.warning("%s: %r", error, error.__cause__, extra=_of(request))
            response = exception_response(error, realm=organization.name, dialect=state.dialect)
        except web.HTTPException as error:
            response = _plain_refusal(request, error)
        except (TransferEncodingError, web.RequestPayloadError):
            response = error_response(
                400, "The body ended early, or is not encoded as its headers say."
            )
        except ConnectionError:
            # The client has gone; there is nobody to answer.
            raise
        except Exception:
            log.exception(
                "%s %s failed", request.method, request.rel_url.raw_path, extra=_of(request)
            )
            response = error_response(_SERVER_ERRORS, "The server failed; its log says why.")
        if log_refusals and response.status >= _CLIENT_ERRORS:
            _tell(request, response)
        _note(request, response, seconds=monotonic() - started)
        return response

    return answer


def _dispatcher(
    proxy: Proxy,
    impersonated: ImpersonationHandler,
    api: AdminApi,
    in_flight: InFlightRequests,
    most: int,
) -> Dispatch:
    async def dispatch(request: web.Request, handler: Handler) -> web.StreamResponse:
        if len(in_flight) > most and request.path not in _ALWAYS:
            raise BusyError(f"The server answers {most} requests at once, and no more now.")
        tunnel = proxy.tunnel(request)
        if tunnel is not None:
            return await impersonated.handle(request, tunnel)
        if request.path.startswith("/api/") and request.path != OPENAPI_PATH:
            await api.require_admin(request)
        return await handler(request)

    return dispatch


async def _sign(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = _SERVER
    response.headers["X-Request-Id"] = state_of(request).request_id


async def _wait(request: web.Request) -> None:
    if request.headers["Expect"].lower() == "100-continue":
        request[_WAITS] = True


async def _end(request: web.Request, response: web.StreamResponse) -> None:
    # The client waits with a body that nobody will ask for, and may send it or not, or has stopped
    # in the middle of it: only a closed connection is clear to both (RFC 9110, 10.1.1).
    await _send_and_close(request, response)
    request.protocol.force_close()


async def _send_and_close(request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    await response.prepare(request)
    await response.write_eof()


def _plain_refusal(request: web.Request, error: web.HTTPException) -> web.Response:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return error_response(
        error.status, f"{error.reason}: {request.method} {request.path[:200]}", headers
    )


def _of(request: web.Request) -> dict[str, dict[str, str]]:
    return {FIELDS: {"request_id": state_of(request).request_id}}


def _tell(request: web.Request, response: web.StreamResponse) -> None:
    # Passwords stand in headers and bodies alone, so the path and the reason can be told.
    log.info(
        "%s %s %d %s",
        request.method,
        request.rel_url.raw_path,
        response.status,
        response.reason,
        extra=_of(request),
    )


def _note(request: web.Request, response: web.StreamResponse, *, seconds: float) -> None:
    entry = state_of(request).journal_entry
    if entry is None:
        return
    if isinstance(response, web.Response) and request.method != "HEAD":
        entry.bytes_sent = len(response.body) if isinstance(response.body, bytes) else 0
    entry.seconds = seconds
    entry.reason = response.reason or ""
    entry.status = response.status
