"""The command `cloudrepo-server serve`: serve a package index until stopped."""

import argparse
import contextlib
import os
import sys
from pathlib import Path
from typing import Any

from cloudrepo_server import logs
from cloudrepo_server.cli import arguments
from cloudrepo_server.cli.event_loop import run_in_event_loop
from cloudrepo_server.cli.given_text import environment_text
from cloudrepo_server.cli.loopback import is_loopback
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import Limits
from cloudrepo_server.process.imports import fast_imports
from cloudrepo_server.process.settings import ServerSettings

EXAMPLES = (
    "serve",
    "serve --port 8080 --data ./index --state-file ./server.json",
    "serve --host 0.0.0.0 --port 8080 --data s3://bucket/index --behind-proxy",
)
_MAX_OPEN_FILES = 8192


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    add(
        "--port",
        type=arguments.port,
        default=0,
        help="port to listen on (default: 0, a free port)",
    )
    add(
        "--data",
        type=arguments.data_location,
        metavar="DIR|URL",
        help="keep all data in this folder, or in an object store that several servers share: "
        "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX "
        "(default: a temporary folder)",
    )
    add(
        "--presigned",
        action="store_true",
        help="redirect downloads of large files to the shared object store",
    )
    add(
        "--organization",
        type=arguments.printable_name,
        default="example",
        metavar="NAME",
        help="name of the organization (default: example)",
    )
    add(
        "--state-file",
        type=Path,
        metavar="FILE",
        help="when ready, write the URL and the admin credentials to this JSON file",
    )
    add(
        "--tls",
        type=Path,
        metavar="CA_FILE",
        help="also serve HTTPS, and write the CA certificate that clients must trust to this file "
        "(requires the extra tls)",
    )
    add(
        "--log-format",
        choices=("text", "json"),
        help="log every request in this format, with its id, user and duration "
        "(default: log only rejected requests, as text)",
    )
    add(
        "--behind-proxy",
        action="store_true",
        help="trust three headers of a reverse proxy: X-Forwarded-Proto and X-Forwarded-Prefix are "
        "the scheme and the beginning of the path of generated URLs, and the last address in "
        "X-Forwarded-For is the client's address",
    )
    add(
        "--files-url",
        type=arguments.server_url,
        metavar="URL",
        help="URL of this server under another host name, for repositories whose files are on "
        "another host than the index (default: localhost if clients use 127.0.0.1, and the "
        "reverse)",
    )
    add(
        "--metrics",
        action="store_true",
        help="serve Prometheus metrics at /metrics, to the admin user and to repository users "
        "(requires the extra metrics)",
    )
    add(
        "--grace",
        type=arguments.seconds,
        default=30.0,
        metavar="SECONDS",
        help="seconds that requests in flight may take to finish after a stop signal "
        "(default: 30); a second signal stops the server at once",
    )
    add(
        "--drain",
        type=arguments.seconds,
        default=0.0,
        metavar="SECONDS",
        help="seconds to keep accepting requests after a stop signal; meanwhile /readyz returns "
        "503, so that load balancers stop sending requests (default: 0)",
    )
    _add_limits(parser)
    add(
        "--owner-pid",
        type=arguments.process_id,
        metavar="PID",
        help="stop when the process with this id ends",
    )
    add(
        "--owner-folder",
        type=Path,
        metavar="DIR",
        action="append",
        dest="owner_folders",
        default=[],
        help="delete this folder when the process of --owner-pid ends; may be repeated",
    )


def run(parsed: argparse.Namespace) -> int:
    """Serve until a signal arrives or the owner process ends.

    Raises:
        CloudRepoServerError: the server cannot start.
        OSError: the state file cannot be written.
    """
    if parsed.log_format is not None:
        logs.configure(parsed.log_format)
    settings = _settings(parsed)
    if isinstance(settings.data, Path):
        # Other users of this machine must not read the packages.
        os.umask(0o077)
    if not is_loopback(settings.host):
        logs.print_message(
            f"{settings.host} is not a loopback address: "
            "every host that can reach this machine can reach this server.",
            log_format=settings.log_format,
            warning=True,
        )
    _raise_open_files_limit()
    # Imported here because the parser does not need the HTTP server.
    with fast_imports():
        from cloudrepo_server.process.server import serve

    return run_in_event_loop(serve(settings))


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group(
        "limits", "limits on what clients may send, and on how long they may stall"
    ).add_argument
    defaults = Limits()
    for name, metavar, description in (
        ("requests", "NUMBER", "requests in flight; further requests get a 503 response"),
        ("file_bytes", "BYTES", "size of an uploaded file; a repository may have a lower limit"),
        ("metadata_bytes", "BYTES", "size of the core metadata in an archive"),
        ("form_fields", "NUMBER", "number of fields in an upload form"),
        ("form_bytes", "BYTES", "total size of the fields of an upload form, without the file"),
        ("header_bytes", "BYTES", "size of the request line, and of each header"),
    ):
        default = getattr(defaults, name)
        add(
            f"--max-{name.replace('_', '-')}",
            type=arguments.positive_integer,
            default=default,
            metavar=metavar,
            dest=name,
            help=f"{description} (default: {'no limit' if default is None else default})",
        )
    add(
        "--stall-timeout",
        type=arguments.positive_seconds,
        default=defaults.stall_seconds,
        metavar="SECONDS",
        dest="stall_seconds",
        help="disconnect a client that neither sends nor receives anything for this time "
        f"(default: {defaults.stall_seconds:g}, "
        "because proxies keep idle connections for up to 60 seconds)",
    )


def _settings(parsed: argparse.Namespace) -> ServerSettings:
    values: dict[str, Any] = {name: value for name, value in vars(parsed).items() if name != "run"}
    limits = Limits(**{name: values.pop(name) for name in Limits.__struct_fields__})
    values["owner_folders"] = tuple(values["owner_folders"])
    for name in ("username", "password"):
        value = environment_text(f"CLOUDREPO_ADMIN_{name.upper()}")
        if value is not None:
            values[f"admin_{name}"] = value
    if isinstance(values["data"], str) and not {"admin_username", "admin_password"} <= set(values):
        raise InvalidError(
            "servers that share an object store need the same admin credentials: "
            "set CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD to the same values for all"
        )
    print_credentials = values["state_file"] is None and "admin_password" not in values
    return ServerSettings(
        limits=limits,
        print_credentials=print_credentials,
        # A server with an owner process serves tests, and its portal is rarely opened.
        prepare_portal=values["owner_pid"] is None,
        **values,
    )


def _raise_open_files_limit() -> None:
    """Raise the limit of open files. Its usual value, 1024, allows too few connections."""
    # Windows has neither the module nor the limit.
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = _MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(_MAX_OPEN_FILES, hard)
        if soft != resource.RLIM_INFINITY and soft < limit:
            # macOS reports no hard limit, but rejects a value above a limit of its own.
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
