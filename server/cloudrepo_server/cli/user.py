"""The command `cloudrepo-server user`: the repository users of a running server."""

import argparse
import contextlib
import sys
from typing import TYPE_CHECKING

from cloudrepo_server.cli import actions
from cloudrepo_server.cli.actions import Action
from cloudrepo_server.cli.given_text import is_text
from cloudrepo_server.cli.standard_streams import can_answer
from cloudrepo_server.cli.terminal import ask_secret
from cloudrepo_server.errors import InvalidError

if TYPE_CHECKING:
    from cloudrepo_server.cli.admin_client import AdminClient

EXAMPLES = (
    "user create ann@example.com --read-only --state-file server.json",
    "user list --url http://index.example:8080",
    "user set ann@example.com --read-write --state-file server.json",
    "user delete ann@example.com --yes --state-file server.json",
)
run = actions.run_action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `user`."""
    actions.add_actions(
        parser,
        (
            Action("create", "create a user, and print the passphrase", _add_create, _create),
            Action("list", "list the users", actions.no_arguments, _list),
            Action("set", "change the passphrase or the access of a user", _add_set, _set),
            Action("delete", "delete a user", _add_delete, _delete),
        ),
    )


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", help="the user name, such as an e-mail address")
    parser.add_argument("--read-only", action="store_true", help="reject uploads of the user")
    _add_passphrase(parser, "read the passphrase from the standard input (default: generate one)")


def _create(client: "AdminClient", parsed: argparse.Namespace) -> None:
    body = {"email": parsed.email, "read_only": parsed.read_only}
    if parsed.passphrase_stdin:
        body["passphrase"] = _read_passphrase()
    created = client.call("POST", "users", json=body)
    # Only this response has a generated passphrase.
    actions.show(parsed, created, created.get("passphrase", ""))


def _list(client: "AdminClient", parsed: argparse.Namespace) -> None:
    response = client.call("GET", "users")
    columns = ("email", "read_only", "created")
    actions.show(parsed, response, actions.as_table(response["users"], columns))


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", help="the user name, such as an e-mail address")
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--read-only",
        dest="read_only",
        action="store_true",
        default=None,
        help="reject uploads of the user",
    )
    access.add_argument(
        "--read-write", dest="read_only", action="store_false", help="accept uploads of the user"
    )
    _add_passphrase(parser, "read the new passphrase from the standard input")


def _set(client: "AdminClient", parsed: argparse.Namespace) -> None:
    body = {} if parsed.read_only is None else {"read_only": parsed.read_only}
    if parsed.passphrase_stdin:
        body["passphrase"] = _read_passphrase()
    actions.show(parsed, client.call("PATCH", "users", parsed.email, json=body), "")


def _add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("email", help="the user name, such as an e-mail address")
    actions.add_confirmation(parser)


def _delete(client: "AdminClient", parsed: argparse.Namespace) -> None:
    actions.require_confirmation(parsed, f"the user {parsed.email}")
    client.call("DELETE", "users", parsed.email)


def _add_passphrase(parser: argparse.ArgumentParser, text: str) -> None:
    # Other users of the machine can read command lines.
    parser.add_argument("--passphrase-stdin", action="store_true", help=text)


def _read_passphrase() -> str:
    if can_answer():
        return ask_secret("Passphrase")
    with contextlib.suppress(UnicodeDecodeError):
        passphrase = sys.stdin.readline().removesuffix("\n")
        if is_text(passphrase):
            return passphrase
    raise InvalidError(f"the passphrase is not text in the encoding {sys.stdin.encoding}")
