"""One server's life: from a free port to the last answer."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from cloudrepo_server.application import create_application
from cloudrepo_server.errors import ListenError
from cloudrepo_server.organization import Organization
from cloudrepo_server.storage import Storage
from cloudrepo_server.tls import HOSTS
from cloudrepo_server.web.proxy import Proxy

log = logging.getLogger("cloudrepo_server")

BACKLOG = 1024
_SHUTDOWN_SECONDS = 2.0
_WATCH_SECONDS = 0.25
# Windows has no SIGTERM from outside; what stops a server there sends CTRL_BREAK.
_ENDINGS = [
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
]
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (looked up, not listened on)


@dataclass(frozen=True, slots=True)
class Settings:
    """What `cloudrepo-server serve` was told."""

    host: str = "127.0.0.1"
    port: int = 0
    data: Path | None = None
    organization: str = "example"
    state_file: Path | None = None
    owner_pid: int | None = None
    owner_folders: Sequence[Path] = ()
    tls: Path | None = None
    tell_login: bool = False
    """Whether to print the admin user's login, which nobody could know otherwise."""
    admin_username: str = "admin@example.com"
    admin_password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@dataclass(frozen=True, slots=True)
class Answering:
    """A server that answers: its organization, and what its state file says."""

    organization: Organization
    state: dict[str, Any] = field(repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.state["url"])


@contextlib.asynccontextmanager
async def answering(settings: Settings) -> AsyncIterator[Answering]:
    """Answer as long as the context lasts; what is in flight at its end is finished.

    Raises:
        CloudRepoServerError: the data folder cannot be used, or the port not listened on.
        OSError: the state file cannot be written.
    """
    storage = Storage.temporary() if settings.data is None else Storage.local(settings.data)
    organization = Organization(
        settings.organization,
        storage,
        admin_username=settings.admin_username,
        admin_password=settings.admin_password,
    )
    proxy = Proxy(organization)
    runner = web.AppRunner(
        create_application(organization, proxy), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS
    )
    try:
        await runner.setup()
        url = await _listen(runner, settings.host, settings.port)
        await proxy.listen(settings.host, home=_address(url))
        state = _state(settings, url)
        if settings.tls is not None:
            authority = await proxy.authority()
            authority.write(settings.tls)
            context = authority.context(settings.host, *HOSTS)
            state["tls_url"] = await _listen(runner, settings.host, 0, context)
            state["ca"] = str(settings.tls.absolute())
        if settings.state_file is not None:
            _write_state(settings.state_file, state)
        if settings.data is not None:
            # Who owned the folder before may have been killed.
            organization.sweep()
        yield Answering(organization, state)
    finally:
        await proxy.close()
        await runner.cleanup()
        await organization.close()


async def serve(settings: Settings) -> None:
    """Answer until a signal comes or the owner is gone.

    Raises:
        CloudRepoServerError: the data folder cannot be used, or the port not listened on.
        OSError: the state file cannot be written.
    """
    stop, owner_gone = asyncio.Event(), threading.Event()
    _stop_on_signals(stop)
    async with answering(settings) as server:
        print(  # noqa: T201
            f"Serving the organization {settings.organization} at {server.url}", flush=True
        )
        if settings.tell_login:
            print(  # noqa: T201
                f"Admin login, made for this start: {settings.admin_username} "
                f"{settings.admin_password}",
                flush=True,
            )
        if settings.owner_pid is not None:
            _watch(settings.owner_pid, stop, owner_gone)
        await stop.wait()
    if owner_gone.is_set():
        for folder in settings.owner_folders:
            # Windows keeps what a program has open, such as this one's log.
            shutil.rmtree(folder, ignore_errors=True)


async def _listen(
    runner: web.AppRunner, host: str, port: int, context: ssl.SSLContext | None = None
) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ListenError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    await web.SockSite(runner, listener, ssl_context=context, backlog=BACKLOG).start()
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


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def by_handler(_signal: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    for number in _ENDINGS:
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows
            signal.signal(number, by_handler)


def _watch(owner_pid: int, stop: asyncio.Event, gone: threading.Event) -> None:
    loop = asyncio.get_running_loop()

    def watch() -> None:
        # Imported when the server is ready, since it takes a while.
        import psutil  # noqa: PLC0415

        try:
            owner = psutil.Process(owner_pid)
            # is_running compares the start time, so a recycled pid is nobody's owner.
            while owner.is_running() and owner.status() != psutil.STATUS_ZOMBIE:
                gone.wait(_WATCH_SECONDS)
            gone.set()
        except psutil.NoSuchProcess:
            gone.set()
        except psutil.AccessDenied:
            print(f"cannot watch the process {owner_pid}", file=sys.stderr)  # noqa: T201
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, name="owner", daemon=True).start()
