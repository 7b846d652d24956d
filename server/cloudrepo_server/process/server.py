"""One server's life: from a free port to the last answer."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from cloudrepo_server import logs
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import ListenError
from cloudrepo_server.limits import Limits
from cloudrepo_server.logs import LogFormat
from cloudrepo_server.process.listeners import BACKLOG, Listeners
from cloudrepo_server.process.observability import Watching, require_prometheus
from cloudrepo_server.process.shutdown import Ending, finish
from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.local import LocalStorage
from cloudrepo_server.web.app import create_application
from cloudrepo_server.web.http.idle_timeout import IdleTimeout
from cloudrepo_server.web.http.in_flight import InFlightRequests
from cloudrepo_server.web.impersonation.certificates import HOSTS
from cloudrepo_server.web.impersonation.proxy import Proxy

# For what does not end by itself, once to wait for it and once to cancel it.
_CUT_SECONDS = 0.5
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (looked up, not listened on)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `cloudrepo-server serve` was told."""

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | str | None = None
    """A folder, or the URL of an object store that several servers share."""
    presigned: bool = False
    """Whether clients are sent to that store for large files."""
    organization: str = "example"
    state_file: Path | None = None
    owner_pid: int | None = None
    owner_folders: Sequence[Path] = ()
    tls: Path | None = None
    drain: float = 0.0
    """Seconds for which a server that was told to end takes requests still, ready for none."""
    grace: float = 0.0
    """Seconds that what is in flight then has to be finished."""
    log_format: LogFormat | None = None
    """How every request is logged; only what is refused is, where nothing is said."""
    behind_proxy: bool = False
    """Whether X-Forwarded-Proto is believed."""
    metrics: bool = False
    """Whether Prometheus is told of them all."""
    limits: Limits = field(default_factory=Limits)
    tell_login: bool = False
    """Whether to print the admin user's login, which nobody could know otherwise."""
    admin_username: str = "admin@example.com"
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@dataclass(frozen=True, slots=True)
class Answering:
    """A server that answers: its organization, and what its state file says."""

    organization: Organization
    state: dict[str, Any] = field(repr=False)
    listeners: Listeners
    in_flight: InFlightRequests

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.state["url"])


@contextlib.asynccontextmanager
async def answering(settings: Settings) -> AsyncIterator[Answering]:
    """Answer as long as the context lasts; what is in flight at its end is cut.

    Raises:
        CloudRepoServerError: the data folder cannot be used, or the port not listened on.
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
    watching = Watching(
        organization, storage, log_format=settings.log_format, metrics=settings.metrics
    )
    in_flight = InFlightRequests()
    runner = web.AppRunner(
        create_application(
            organization,
            proxy,
            in_flight,
            observers=watching.observers,
            routes=watching.routes,
            logs_rejections=not watching.tells_refusals,
            behind_proxy=settings.behind_proxy,
        ),
        access_log=None,
        shutdown_timeout=_CUT_SECONDS,
        keepalive_timeout=settings.limits.stall_seconds,
        max_line_size=settings.limits.header_bytes,
        max_field_size=settings.limits.header_bytes,
    )
    listeners = Listeners(runner)
    idle_timeout = IdleTimeout(in_flight, settings.limits.stall_seconds)
    watch = asyncio.ensure_future(idle_timeout.run(lambda: listeners.connections))
    try:
        await runner.setup()
        url = await _listen(listeners, settings.host, settings.port)
        if not storage.shared:
            await proxy.listen(settings.host, home=_address(url))
        state = _state(settings, url)
        if settings.tls is not None:
            authority = await proxy.authority()
            authority.write(settings.tls)
            context = authority.context(settings.host, *HOSTS)
            state["tls_url"] = await _listen(listeners, settings.host, 0, context)
            state["ca"] = str(settings.tls.absolute())
        if settings.state_file is not None:
            _write_state(settings.state_file, state)
        if isinstance(settings.data, Path):
            # Who owned the folder before may have been killed.
            organization.start_garbage_collection()
        yield Answering(organization, state, listeners, in_flight)
    finally:
        watch.cancel()
        await proxy.close()
        await runner.cleanup()
        await organization.close()


async def serve(settings: Settings) -> None:
    """Answer until a signal comes or the owner is gone.

    Raises:
        CloudRepoServerError: the data folder cannot be used, or the port not listened on.
        OSError: the state file cannot be written.
    """
    ending, owner_gone = Ending(), threading.Event()
    ending.ask_on_signals()
    async with answering(settings) as server:
        logs.announce(
            f"Serving the organization {settings.organization} at {server.url}",
            log_format=settings.log_format,
        )
        if settings.tell_login:
            print(
                f"Admin login, made for this start: {settings.admin_username} "
                f"{settings.admin_password}",
                flush=True,
            )
        if settings.owner_pid is not None:
            ending.ask_when_gone(settings.owner_pid, owner_gone)
        await ending.asked.wait()
        await finish(
            server.listeners, server.in_flight, ending, drain=settings.drain, grace=settings.grace
        )
    if owner_gone.is_set():
        for folder in settings.owner_folders:
            # Windows keeps what a program has open, such as this one's log.
            shutil.rmtree(folder, ignore_errors=True)


async def open_storage(data: Path | str | None, *, presigned: bool = False) -> Storage:
    """The store that `--data` names: a folder, an object store's URL, or a temporary folder.

    Raises:
        CloudRepoServerError: it cannot be used.
    """
    if data is None:
        return LocalStorage.in_temporary_folder()
    if isinstance(data, Path):
        return LocalStorage.in_folder(data)
    # Imported for this store alone, so that others start sooner.
    from cloudrepo_server.storage.connect import open_shared

    return await open_shared(data, presigned=presigned)


async def _listen(
    listeners: Listeners, host: str, port: int, context: ssl.SSLContext | None = None
) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    await listeners.add(listener, context)
    scheme = "http" if context is None else "https"
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    return f"{scheme}://{shown}:{listener.getsockname()[1]}"


def _address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    # What listens everywhere is reached at home by its loopback address.
    return _LOOPBACK.get(parts.hostname or "", parts.hostname or ""), parts.port or 0


def _state(settings: Settings, url: str) -> dict[str, Any]:
    return {
        "url": url,
        "pid": os.getpid(),
        "organization": settings.organization,
        "admin": {"username": settings.admin_username, "password": settings.admin_password},
    }


def _write_state(path: Path, state: dict[str, Any]) -> None:
    # Whoever waits for the file sees all of it or none of it, and nobody else reads the password.
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(state, file)
        new.replace(path)
    except OSError:
        new.unlink()
        raise
