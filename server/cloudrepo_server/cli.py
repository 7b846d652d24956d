"""The command line: `cloudrepo-server serve`."""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cloudrepo_server.errors import CloudRepoServerError
from cloudrepo_server.serving import Settings, serve

_LOOPBACK = ("127.", "::1", "localhost")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit with its status."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    # aiohttp would print a traceback for every client that does not speak HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    sys.exit(_serve(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cloudrepo-server",
        description="A private Python index that behaves as CloudRepo does.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve_parser = commands.add_parser("serve", help="answer until stopped")
    add = serve_parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    add("--port", type=int, default=0, help="the port (0: the system chooses)")
    add("--data", type=Path, metavar="DIR", help="keep everything here (a temporary folder)")
    add("--organization", default="example", metavar="NAME", help="the organization's name")
    add("--state-file", type=Path, metavar="FILE", help="write URL and admin login here when ready")
    add(
        "--tls",
        type=Path,
        metavar="CA_FILE",
        help="answer https too, and write here what clients must trust (needs the extra tls)",
    )
    add("--owner-pid", type=int, metavar="PID", help="exit when that process is gone")
    add(
        "--owner-folder",
        type=Path,
        metavar="DIR",
        action="append",
        dest="owner_folders",
        default=[],
        help="a folder of that process's, removed when it is gone; may be given again",
    )
    return parser


def _serve(given: argparse.Namespace) -> int:
    settings = _settings(given)
    if not settings.host.startswith(_LOOPBACK):
        print(  # noqa: T201
            f"WARNING: {settings.host} is not a loopback address: "
            "whoever reaches this machine reaches this index.",
            file=sys.stderr,
        )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(serve(settings))
    except (CloudRepoServerError, OSError, OverflowError) as error:
        print(f"cloudrepo-server: {error}", file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        pass
    return 0


def _settings(given: argparse.Namespace) -> Settings:
    values = vars(given)
    for name in ("username", "password"):
        value = os.environ.get(f"CLOUDREPO_ADMIN_{name.upper()}")
        if value:
            values[f"admin_{name}"] = value
    return Settings(**values)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 (it is not there on every platform)
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
