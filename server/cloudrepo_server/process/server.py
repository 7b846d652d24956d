"""One server from its start to its last response."""

import asyncio
import contextlib
import gc
import shutil
import sys
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from cloudrepo_server import logs
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.limits import MAX_HEADERS
from cloudrepo_server.process.listeners import Listeners
from cloudrepo_server.process.observability import create_observability, require_prometheus
from cloudrepo_server.process.replaced_file import replace_file
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.process.shutdown import CLEANUP_SECONDS, Shutdown, finish_requests
from cloudrepo_server.process.state_file import server_state, write_state_file
from cloudrepo_server.process.storage import open_storage
from cloudrepo_server.process.watchdog import exit_after_stop_signals, exit_at_the_latest
from cloudrepo_server.web.app import create_application
from cloudrepo_server.web.http.idle_timeout import IdleTimeout
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.http.security_headers import add_headers_to_every_response
from cloudrepo_server.web.impersonation.certificates import LOOPBACK_HOSTS
from cloudrepo_server.web.impersonation.https_listeners import HttpsListeners
from cloudrepo_server.web.impersonation.proxy import Proxy
from cloudrepo_server.web.impersonation.tunnel import TunnelServer
from cloudrepo_server.web.index.repeated_reads import RepeatedReads
from cloudrepo_server.web.ops.early_responses import EarlyResponses

# aiohttp waits this long for handlers to finish, and as long again after cancelling them.
_CANCEL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that accepts requests."""

    organization: Organization
    state: dict[str, Any] = field(repr=False)
    """The content of its state file."""
    listeners: Listeners
    in_flight: InFlightRequests
    proxy: Proxy

    @property
    def url(self) -> str:
        """The URL of the server."""
        return str(self.state["url"])


@contextlib.asynccontextmanager
async def running_server(settings: ServerSettings) -> AsyncIterator[RunningServer]:
    """Run a server for the duration of the context; abort requests in flight at its end.

    Raises:
        CloudRepoServerError: the data folder or the port cannot be used.
        OSError: the state file cannot be written.
    """
    if settings.metrics:
        require_prometheus()
    storage = await open_storage(settings.data, presigned=settings.presigned)
    organization = Organization(
        settings.organization,
        storage,
        admin_username=settings.admin_username,
        admin_password=settings.admin_password,
        limits=settings.limits,
    )
    proxy = Proxy(organization)
    https = HttpsListeners(proxy)
    in_flight = InFlightRequests()
    observability = create_observability(
        organization, storage, log_format=settings.log_format, metrics=settings.metrics
    )
    application = create_application(
        organization,
        proxy,
        https,
        in_flight,
        observers=observability.observers,
        routes=observability.routes,
        logs_rejections=settings.log_format is None,
        behind_proxy=settings.behind_proxy,
        files_url=settings.files_url,
        prepare_portal=settings.prepare_portal,
    )
    early_responses = EarlyResponses(
        observability.observers, logs_rejections=settings.log_format is None
    )
    connection_options: dict[str, Any] = {
        "access_log": None,
        "keepalive_timeout": settings.limits.stall_seconds,
        "max_line_size": settings.limits.header_bytes,
        "max_field_size": settings.limits.header_bytes,
        "max_headers": MAX_HEADERS,
    }
    runner = web.AppRunner(application, shutdown_timeout=_CANCEL_SECONDS, **connection_options)
    listeners = Listeners(runner, handshake_seconds=settings.limits.stall_seconds)
    idle_timeout = IdleTimeout(in_flight, settings.limits.stall_seconds)
    idle_check = asyncio.ensure_future(idle_timeout.run(lambda: listeners.connections))
    try:
        await runner.setup()
        if runner.server is not None:
            add_headers_to_every_response(runner.server, early_responses.report_response)
            if not observability.observers:
                # The access log and the metrics observe the handlers of requests.
                repeated = RepeatedReads(organization, in_flight, runner.server.request_handler)
                runner.server.request_handler = repeated.handle
        url = await listeners.listen(settings.host, settings.port)
        https.attach(
            settings.host, lambda context: listeners.listen(settings.host, context=context)
        )
        if not storage.shared and runner.server is not None:
            tunnels = TunnelServer(
                runner.server, connection_options, stall_seconds=settings.limits.stall_seconds
            )
            await proxy.listen(settings.host, tunnels, early_responses)
        state = server_state(settings, url)
        if settings.tls is not None:
            state["tls_url"] = await _listen_with_tls(listeners, proxy, settings.host, settings.tls)
            state["ca"] = str(settings.tls.absolute())
        if settings.state_file is not None:
            write_state_file(settings.state_file, state)
        if isinstance(settings.data, Path):
            # The previous server of this folder may have been killed.
            organization.start_garbage_collection()
            await organization.keep_history()
        yield RunningServer(organization, state, listeners, in_flight, proxy)
    finally:
        idle_check.cancel()
        await proxy.close()
        await listeners.close()
        await runner.cleanup()
        await organization.close()


async def serve(settings: ServerSettings) -> None:
    """Run a server until a signal arrives or the owner process ends.

    Raises:
        CloudRepoServerError: the data folder or the port cannot be used.
        OSError: the state file cannot be written.
    """
    shutdown, owner_ended = Shutdown(), threading.Event()
    shutdown.request_on_signals()
    longest = settings.drain + settings.grace + CLEANUP_SECONDS
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(exit_after_stop_signals(longest))
        server = await stack.enter_async_context(running_server(settings))
        # The modules stay until the process ends, so the garbage collector can skip them.
        gc.freeze()
        logs.print_message(
            f"Serving the organization {settings.organization} at {server.url}",
            log_format=settings.log_format,
        )
        # The help is for people at a terminal, and not for log files.
        if sys.stdout.isatty() and settings.log_format != "json":
            _print_help(settings, server.url)
        if settings.print_credentials:
            _print_credentials(settings)
        if settings.owner_pid is not None:
            shutdown.request_when_process_ends(settings.owner_pid, owner_ended)
        await shutdown.requested.wait()
        await finish_requests(
            server.listeners,
            server.in_flight,
            shutdown,
            drain=settings.drain,
            grace=settings.grace,
        )
        exit_at_the_latest(CLEANUP_SECONDS)
    if owner_ended.is_set():
        for folder in settings.owner_folders:
            # Windows does not delete open files, such as this server's log.
            shutil.rmtree(folder, ignore_errors=True)


def _print_help(settings: ServerSettings, url: str) -> None:
    """Print where the portal and the data are, and how to stop the server."""
    if settings.data is None:
        data = "in a temporary folder, which the server deletes when it stops"
    elif isinstance(settings.data, Path):
        data = f"in {settings.data.absolute()}"
    else:
        data = f"at {settings.data}"
    print(
        f"Admin Portal: open {url}/portal in a browser.\n"
        f"The data are {data}.\n"
        "To stop the server, press Ctrl-C.",
        flush=True,
    )


def _print_credentials(settings: ServerSettings) -> None:
    """Print the generated admin password, but only to a terminal: files and logs would keep it."""
    if sys.stdout.isatty():
        print(
            "Admin user and password, generated for this server: "
            f"{settings.admin_username} {settings.admin_password}",
            flush=True,
        )
    else:
        logs.print_message(
            "the admin password is not shown, because the output is not a terminal: "
            "set CLOUDREPO_ADMIN_PASSWORD, or use --state-file",
            log_format=settings.log_format,
            warning=True,
        )


async def _listen_with_tls(listeners: Listeners, proxy: Proxy, host: str, ca_file: Path) -> str:
    """Listen for HTTPS, write the CA certificate, and return the URL."""
    authority = await proxy.authority()
    replace_file(ca_file, authority.pem, mode=0o644)
    return await listeners.listen(host, context=authority.context(host, *LOOPBACK_HOSTS))
