"""The command `cloudrepo-server token`: the tokens of a running server."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cloudrepo_server.cli import actions
from cloudrepo_server.cli.actions import Action
from cloudrepo_server.cli.arguments import lifetime
from cloudrepo_server.specs.timestamps import format_time

if TYPE_CHECKING:
    from cloudrepo_server.cli.admin_client import AdminClient

EXAMPLES = (
    "token create demo --read-only --state-file server.json",
    "token create demo --name nightly --expires-in 90d --state-file server.json",
    "token list --url http://index.example:8080",
    "token set 0123456789abcdef --expires-in 7d --state-file server.json",
    "token delete 0123456789abcdef --yes --state-file server.json",
)
run = actions.run_action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `token`."""
    actions.add_actions(
        parser,
        (
            Action("create", "create a token for one repository, and print it", _add, _create),
            Action("list", "list the tokens, without the secrets", actions.no_arguments, _list),
            Action("set", "change the name of a token, or when it expires", _add_set, _set),
            Action("delete", "revoke a token", _add_delete, _delete),
        ),
    )


def _add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repository", help="the name of the repository")
    parser.add_argument("--read-only", action="store_true", help="reject uploads with the token")
    parser.add_argument("--name", default="", help="what the token is for")
    _add_lifetime(parser, "the time after which the token expires, such as 12h (default: never)")


def _create(client: "AdminClient", parsed: argparse.Namespace) -> None:
    body = {
        "repository": parsed.repository,
        "read_only": parsed.read_only,
        "name": parsed.name,
        "expires_in": parsed.expires_in,
    }
    created = client.call("POST", "tokens", json=body)
    actions.show(parsed, created, created["token"])


def _list(client: "AdminClient", parsed: argparse.Namespace) -> None:
    response = client.call("GET", "tokens")
    columns = ("id", "name", "repository", "read_only", "created", "expires", "last_used")
    rows = [_row(token) for token in response["tokens"]]
    actions.show(parsed, response, actions.as_table(rows, columns))


def _row(token: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token whose times all have the same format."""
    expires = token["expires"]
    return {**token, "expires": None if expires is None else format_time(expires)}


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the id of the token, as `token list` shows it")
    parser.add_argument("--name", help="what the token is for")
    group = parser.add_mutually_exclusive_group()
    _add_lifetime(group, "the time from now after which the token expires, such as 12h or 90d")
    group.add_argument("--never-expires", action="store_true", help="let the token never expire")


def _set(client: "AdminClient", parsed: argparse.Namespace) -> None:
    body: dict[str, Any] = {} if parsed.name is None else {"name": parsed.name}
    if parsed.never_expires or parsed.expires_in is not None:
        body["expires_in"] = parsed.expires_in
    actions.show(parsed, client.call("PATCH", "tokens", parsed.id, json=body), "")


def _add_lifetime(container: argparse._ActionsContainer, text: str) -> None:
    container.add_argument("--expires-in", type=lifetime, metavar="TIME", help=text)


def _add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", help="the id of the token, as `token list` shows it")
    actions.add_confirmation(parser)


def _delete(client: "AdminClient", parsed: argparse.Namespace) -> None:
    actions.require_confirmation(parsed, f"the token {parsed.id}")
    client.call("DELETE", "tokens", parsed.id)
