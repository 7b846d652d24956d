"""The command `cloudrepo-server repo`: the repositories of a running server."""

import argparse
from typing import TYPE_CHECKING

from cloudrepo_server.cli import actions
from cloudrepo_server.cli.actions import Action
from cloudrepo_server.cli.repository_settings import setting

if TYPE_CHECKING:
    from cloudrepo_server.cli.admin_client import AdminClient

EXAMPLES = (
    "repo create demo overwrite_protection=true --state-file server.json",
    "repo list --url http://index.example:8080",
    "repo show demo --state-file server.json",
    """repo set demo dialect=pypi 'upstream=["other"]' --state-file server.json""",
    "repo delete demo --yes --state-file server.json",
)
run = actions.run_action


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `repo`."""
    actions.add_actions(
        parser,
        (
            Action("create", "create a repository, and print its URL", _add_create, _create),
            Action("list", "list the repositories", actions.no_arguments, _list),
            Action("show", "show a repository and its settings", _add_name, _show),
            Action("set", "change settings of a repository", _add_set, _set),
            Action("delete", "delete a repository and all its files", _add_delete, _delete),
        ),
    )


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the name of the repository")


def _add_create(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    _add_settings(parser, "*")


def _add_set(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    _add_settings(parser, "+")


def _add_settings(parser: argparse.ArgumentParser, number: str) -> None:
    parser.add_argument(
        "settings",
        nargs=number,
        type=setting,
        metavar="SETTING=VALUE",
        help="a setting, such as overwrite_protection=true; a list is JSON: 'upstream=[\"other\"]'",
    )


def _create(client: "AdminClient", parsed: argparse.Namespace) -> None:
    body = {"name": parsed.name, **dict(parsed.settings)}
    created = client.call("POST", "repositories", json=body)
    actions.show(parsed, created, created["url"])


def _list(client: "AdminClient", parsed: argparse.Namespace) -> None:
    response = client.call("GET", "repositories")
    columns = ("name", "overwrite_protection", "public", "dialect", "url")
    actions.show(parsed, response, actions.as_table(response["repositories"], columns))


def _show(client: "AdminClient", parsed: argparse.Namespace) -> None:
    repository = client.call("GET", "repositories", parsed.name)
    actions.show(parsed, repository, actions.as_settings(repository))


def _set(client: "AdminClient", parsed: argparse.Namespace) -> None:
    changed = client.call("PATCH", "repositories", parsed.name, json=dict(parsed.settings))
    actions.show(parsed, changed, "")


def _add_delete(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    actions.add_confirmation(parser)


def _delete(client: "AdminClient", parsed: argparse.Namespace) -> None:
    actions.require_confirmation(parsed, f"the repository {parsed.name} and all its files")
    client.call("DELETE", "repositories", parsed.name)
