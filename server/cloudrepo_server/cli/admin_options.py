"""The options of the commands that use a running server: its URL and the admin credentials."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cloudrepo_server.cli import arguments
from cloudrepo_server.cli.given_text import environment_text
from cloudrepo_server.cli.standard_streams import can_answer
from cloudrepo_server.cli.terminal import ask_secret
from cloudrepo_server.errors import InvalidError

if TYPE_CHECKING:
    from cloudrepo_server.cli.admin_client import AdminClient

_USERNAME, _PASSWORD = "CLOUDREPO_ADMIN_USERNAME", "CLOUDREPO_ADMIN_PASSWORD"


class _Admin(msgspec.Struct, frozen=True):
    username: str
    password: str


class _State(msgspec.Struct, frozen=True):
    url: str
    admin: _Admin


def add_server_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the server and its admin user."""
    group = parser.add_argument_group("server", "the server, and the credentials of its admin user")
    server = group.add_mutually_exclusive_group(required=True)
    server.add_argument(
        "--url",
        type=arguments.server_url,
        help=f"the URL of the server; the admin password is read from the variable {_PASSWORD}, or "
        "from the terminal",
    )
    server.add_argument(
        "--state-file",
        type=Path,
        metavar="FILE",
        help="the state file of the server, with its URL and its admin credentials",
    )
    group.add_argument(
        "--username",
        help="with --url: the name of the admin user (default: the variable "
        f"{_USERNAME}, or admin@example.com)",
    )
    group.add_argument("--json", action="store_true", help="print the server's response as JSON")


def connect(parsed: argparse.Namespace) -> "AdminClient":
    """Return a client of the server that the options name.

    Raises:
        InvalidError: the state file cannot be read, or the password is missing.
    """
    # Imported here because its HTTP client is slow to import.
    from cloudrepo_server.cli.admin_client import AdminClient

    if parsed.state_file is not None:
        state = _read_state(parsed.state_file)
        return AdminClient(state.url, state.admin.username, state.admin.password)
    credentials = admin_credentials(parsed.username, alternative=", or use --state-file")
    return AdminClient(parsed.url, *credentials)


def admin_credentials(username: str | None = None, *, alternative: str = "") -> tuple[str, str]:
    """Return the user name and password of the admin user, from the environment or the terminal.

    Args:
        username: the user name, if the command line has it.
        alternative: what to do instead of setting the variable, for the error.

    Raises:
        InvalidError: the password is missing, or a value is not text.
    """
    username = username or environment_text(_USERNAME) or "admin@example.com"
    password = environment_text(_PASSWORD)
    if not password and can_answer():
        password = ask_secret(f"Password of the admin user {username}")
    if not password:
        raise InvalidError(f"the admin password is missing: set {_PASSWORD}{alternative}")
    return username, password


def _read_state(path: Path) -> _State:
    from cloudrepo_server.clients import is_web_url
    from cloudrepo_server.process.replaced_file import read_replaced_file

    try:
        state = msgspec.json.decode(read_replaced_file(path), type=_State)
    except OSError as error:
        raise InvalidError(
            f"cannot read the state file {path}: {error.strerror or error}"
        ) from None
    except msgspec.MsgspecError as error:
        raise InvalidError(
            f"{path} is not a state file of cloudrepo-server serve: {error}"
        ) from None
    if not is_web_url(state.url):
        raise InvalidError(f"the URL in the state file {path} is not valid: {state.url!r}")
    return state
