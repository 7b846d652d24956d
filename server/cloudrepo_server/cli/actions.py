"""The actions of a command that uses a running server, such as `user create` and `user list`."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from cloudrepo_server.cli import admin_options, output, terminal
from cloudrepo_server.cli.standard_streams import can_answer
from cloudrepo_server.errors import InvalidError

if TYPE_CHECKING:
    from cloudrepo_server.cli.admin_client import AdminClient


class Action(NamedTuple):
    """An action: its name, its one-line help, its arguments, and the function that runs it."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[["AdminClient", argparse.Namespace], None]


def add_actions(parser: argparse.ArgumentParser, actions: Sequence[Action]) -> None:
    """Add the actions of a command to its parser."""
    subparsers = parser.add_subparsers(required=True, metavar="ACTION")
    for action in actions:
        subparser = subparsers.add_parser(action.name, help=action.help, description=action.help)
        action.add_arguments(subparser)
        admin_options.add_server_options(subparser)
        subparser.set_defaults(act=action.run)


def run_action(parsed: argparse.Namespace) -> int:
    """Run the action that the arguments name, and return the exit status.

    Raises:
        CloudRepoServerError: the server cannot be used, or rejected the request.
    """
    parsed.act(admin_options.connect(parsed), parsed)
    return 0


def no_arguments(_: argparse.ArgumentParser) -> None:
    """Add no arguments, for an action that has none of its own."""


def add_confirmation(parser: argparse.ArgumentParser) -> None:
    """Add the option `--yes`, which deletes without a confirmation."""
    parser.add_argument("--yes", action="store_true", help="delete without asking")


def require_confirmation(parsed: argparse.Namespace, what: str) -> None:
    """Ask whether to delete something, unless `--yes` is given.

    Raises:
        InvalidError: the answer is no, or the standard input is not a terminal.
    """
    if parsed.yes:
        return
    if not can_answer():
        raise InvalidError(
            f"cannot ask whether to delete {what}, as standard input is not a terminal: add --yes"
        )
    if not terminal.confirm(f"Delete {what}?"):
        raise InvalidError(f"cancelled: did not delete {what}")


def show(parsed: argparse.Namespace, response: object, text: str) -> None:
    """Print the server's response as JSON if `--json` is given, otherwise a text."""
    if parsed.json:
        sys.stdout.write(output.as_json(response))
    elif text:
        sys.stdout.write(f"{text}\n")


def as_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as a table with a header; a missing value is shown as `null`."""
    header = tuple(column.upper().replace("_", " ") for column in columns)
    cells = [header, *(tuple(_cell(row.get(column)) for column in columns) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def as_settings(settings: Mapping[str, Any]) -> str:
    """Return settings as lines of `name=value`, in the form that `repo set` accepts."""
    return "\n".join(f"{name}={_cell(value)}" for name, value in settings.items())


def _cell(value: object) -> str:
    if value is None:
        return "null"
    return output.printable(
        value if isinstance(value, str) else msgspec.json.encode(value).decode()
    )
