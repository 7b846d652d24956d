"""The command line: `cloudrepo-server serve`, `sweep` and `run`."""

import argparse
import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from cloudrepo_server import logs
from cloudrepo_server.errors import CloudRepoServerError, InvalidError
from cloudrepo_server.limits import Limits
from cloudrepo_server.process.imports import sooner

with sooner():
    from cloudrepo_server.process.server import Settings, serve
    from cloudrepo_server.storage import SHARED_SCHEMES

_LOOPBACK = ("127.", "::1", "localhost")
_LAST_PORT = 65535
_LAST_PID = (1 << 31) - 1
_LONGEST = 86_400
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MAX_DIGITS = 9
_MAX_BYTES_DIGITS = 15
_OPEN_FILES = 8192


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit with its status."""
    given = _parser().parse_args(arguments)
    logs.begin()
    try:
        status = given.start(given)
    except (CloudRepoServerError, OSError) as error:
        print(f"cloudrepo-server: {error}", file=sys.stderr)
        status = 1
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cloudrepo-server",
        description="A private Python index that behaves as CloudRepo does.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="answer until stopped"))
    _add_sweep(commands.add_parser("sweep", help="remove what killed servers and test runs left"))
    _add_run(commands.add_parser("run", help="run a command with every tool pointed at an index"))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(start=_serve)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    add("--port", type=_port, default=0, help="the port (0: the system chooses)")
    add(
        "--data",
        type=_data,
        metavar="DIR|URL",
        help="keep everything in this folder, or in a store that several servers share: "
        "s3://BUCKET/PREFIX, gs:// or az:// (a temporary folder)",
    )
    add(
        "--presigned",
        action="store_true",
        help="send clients to the shared store itself for large files",
    )
    add(
        "--organization",
        type=_name,
        default="example",
        metavar="NAME",
        help="the organization's name",
    )
    add("--state-file", type=Path, metavar="FILE", help="write URL and admin login here when ready")
    add(
        "--tls",
        type=Path,
        metavar="CA_FILE",
        help="answer https too, and write here what clients must trust (needs the extra tls)",
    )
    add(
        "--log-format",
        choices=("text", "json"),
        help="log every request, with its id, user and time (only refusals, as text)",
    )
    add(
        "--behind-proxy",
        action="store_true",
        help="believe X-Forwarded-Proto, so that the URLs that are shown begin as the proxy's does",
    )
    add(
        "--metrics",
        action="store_true",
        help="tell Prometheus at /metrics, with a repository user's login "
        "(needs the extra metrics)",
    )
    add(
        "--grace",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="how long requests in flight may take when told to end (30); "
        "a second signal ends them at once",
    )
    add(
        "--drain",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="how long to take requests still when told to end, with /readyz refused, "
        "so that a load balancer sends no more (0)",
    )
    _add_limits(parser)
    add("--owner-pid", type=_pid, metavar="PID", help="exit when that process is gone")
    add(
        "--owner-folder",
        type=Path,
        metavar="DIR",
        action="append",
        dest="owner_folders",
        default=[],
        help="a folder of that process's, removed when it is gone; may be given again",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group(
        "limits", "what clients may send, and take their time for"
    ).add_argument
    usual = Limits()
    for name, metavar, what in (
        ("requests", "NUMBER", "requests in flight; more are answered 503 before they are read"),
        ("file_bytes", "BYTES", "a file; a repository may have a lower limit of its own"),
        ("metadata_bytes", "BYTES", "the core metadata in an archive"),
        ("form_fields", "NUMBER", "the fields of an upload form"),
        ("form_bytes", "BYTES", "all those fields together, the file left aside"),
        ("header_bytes", "BYTES", "the first line of a request, and each of its headers"),
    ):
        known = getattr(usual, name)
        add(
            f"--max-{name.replace('_', '-')}",
            type=_number,
            default=known,
            metavar=metavar,
            dest=name,
            help=f"{what} ({'no limit' if known is None else known})",
        )
    add(
        "--stall-timeout",
        type=_positive_seconds,
        default=usual.stall_seconds,
        metavar="SECONDS",
        dest="stall_seconds",
        help="cut a client that sends or takes nothing for so long "
        f"({usual.stall_seconds:g}; proxies keep idle connections for 60 or less)",
    )


def _add_sweep(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(start=_sweep)
    add = parser.add_argument
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "--url",
        type=_url,
        help="the server to ask, with the login of CLOUDREPO_ADMIN_USERNAME and _PASSWORD",
    )
    where.add_argument(
        "--data",
        type=_data,
        metavar="DIR|URL",
        help="the store to sweep: of a folder that no server owns, or that servers share",
    )
    add(
        "--runs-older-than",
        type=_age,
        metavar="AGE",
        help="what was made by test runs that made nothing for so long, such as 90m, 12h or 2d",
    )
    add(
        "--older-than",
        type=_age,
        default=86_400.0,
        metavar="AGE",
        help="with --data: leave alone what is younger; longer than any upload takes (1d)",
    )
    add(
        "--grace",
        type=_age,
        default=60.0,
        metavar="AGE",
        help="with --data: how long who was shown a file has to take it, before it goes (60s)",
    )


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(start=_run)
    add = parser.add_argument
    add("--repository", default="default", metavar="NAME", help="the repository's name (default)")
    add("--overwrite-protection", action="store_true", help="refuse to overwrite its files")
    add("command", nargs="+", metavar="-- COMMAND", help="the command and its arguments")


def _data(text: str) -> Path | str:
    scheme, sign, _ = text.partition("://")
    if not sign:
        return Path(text)
    if scheme not in SHARED_SCHEMES:
        known = ", ".join(f"{each}://" for each in SHARED_SCHEMES)
        raise argparse.ArgumentTypeError(
            f"{scheme}:// is no store that can be shared: use {known} or a folder's path"
        )
    return text


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: give 0 to {_LAST_PORT}")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > _MAX_BYTES_DIGITS or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _positive_seconds(text: str) -> float:
    seconds = _seconds(text)
    if not seconds:
        raise argparse.ArgumentTypeError("0 seconds would cut everybody")
    return seconds


def _pid(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _LAST_PID:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number of a process")
    return int(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (seconds := float(text)) <= _LONGEST:
            return seconds
    raise argparse.ArgumentTypeError(f"{text!r} is not a time: give 0 to {_LONGEST} seconds")


def _age(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if not number.isdecimal() or len(number) > _MAX_DIGITS or unit not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age: give such as 45s, 90m, 12h, 2d")
    return float(int(number) * _UNITS[unit])


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")) or "@" in text:
        raise argparse.ArgumentTypeError("it is not an http or https URL without a login")
    return text


def _name(text: str) -> str:
    # It stands in a header, and in a line of the log.
    if not text or not text.isprintable():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name: give one printable line")
    return text


def _serve(given: argparse.Namespace) -> int:
    if given.log_format is not None:
        logs.begin(given.log_format)
    settings = _settings(given)
    if not settings.host.startswith(_LOOPBACK):
        logs.announce(
            f"{settings.host} is not a loopback address: "
            "whoever reaches this machine reaches this index.",
            log_format=given.log_format,
            warning=True,
        )
    _allow_open_files()
    return _in_loop(serve(settings)) or 0


def _allow_open_files() -> None:
    # Many systems let a program have 1024 at first, which as many connections use up.
    try:
        import resource  # Windows has neither it nor the limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # macOS says that it has no limit, and refuses what is above one of its own.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _sweep(given: argparse.Namespace) -> int:
    # Imported for this command alone, so that `serve` starts sooner.
    if given.data is not None:
        from cloudrepo_server.cli.sweep_store import StoreSweep, sweep_store

        told = StoreSweep(given.data, given.older_than, given.grace, given.runs_older_than)
        return _in_loop(sweep_store(told)) or 0
    from cloudrepo_server.cli.sweep_server import sweep_server

    names = ("CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD")
    username, password = (os.environ.get(name, "") for name in names)
    try:
        if not (username and password):
            raise InvalidError(f"the admin user's login is needed: set {' and '.join(names)}")
        if given.runs_older_than is None:
            raise InvalidError("what is to be removed? give --runs-older-than AGE")
        swept = sweep_server(given.url, (username, password), runs_older_than=given.runs_older_than)
    except CloudRepoServerError as error:
        print(f"cloudrepo-server: {error}", file=sys.stderr)
        return 1
    print(f"Removed {swept}.")
    return 0


def _run(given: argparse.Namespace) -> int:
    # Imported for this command alone, so that `serve` starts sooner.
    from cloudrepo_server.cli.run import Command, run

    # What the command prints is the user's; the server's log of refusals would stand in its way.
    logging.getLogger().setLevel(logging.ERROR)
    command = Command(
        given.command,
        repository=given.repository,
        overwrite_protection=given.overwrite_protection,
    )
    return _in_loop(run(command, Settings())) or 0


def _in_loop(work: Coroutine[None, None, int | None]) -> int | None:
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        return 0


def _settings(given: argparse.Namespace) -> Settings:
    values = {name: value for name, value in vars(given).items() if name != "start"}
    limits = {name: values.pop(name) for name in Limits.__struct_fields__}
    for name in ("username", "password"):
        value = os.environ.get(f"CLOUDREPO_ADMIN_{name.upper()}")
        if value:
            values[f"admin_{name}"] = value
    if isinstance(values["data"], str) and not {"admin_username", "admin_password"} <= set(values):
        raise InvalidError(
            "servers that share a store share the admin login: "
            "set CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD, the same for all"
        )
    tell_login = values["state_file"] is None and "admin_password" not in values
    return Settings(limits=Limits(**limits), tell_login=tell_login, **values)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # it is not there on every platform
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
