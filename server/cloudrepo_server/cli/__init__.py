"""The command line `cloudrepo-server`: its table of commands, its parser and `main`.

A new command is a module with `add_arguments` and `run`, and one row of `COMMANDS`. A command
imports what it needs when it runs, so that the parser and other commands do not wait for it.
The other modules of this folder are helpers of the commands.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from cloudrepo_server import logs
from cloudrepo_server.cli import check, run, serve, sweep
from cloudrepo_server.errors import CloudRepoServerError


class Command(NamedTuple):
    """A command: its name, its one-line help, its arguments, and the function that runs it."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


COMMANDS = (
    Command("serve", "serve a package index until stopped", serve.add_arguments, serve.run),
    Command(
        "sweep",
        "delete leftovers of killed servers and pytest sessions",
        sweep.add_arguments,
        sweep.run,
    ),
    Command(
        "run",
        "run a command with every packaging tool configured to use a new index",
        run.add_arguments,
        run.run,
    ),
    Command(
        "check",
        "check whether PyPI would accept the files of a release, without uploading them",
        check.add_arguments,
        check.run,
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit with its status.

    Args:
        arguments: the arguments; by default those of this process.
    """
    parsed = create_parser().parse_args(arguments)
    logs.configure()
    try:
        status = parsed.run(parsed)
    except (CloudRepoServerError, OSError) as error:
        print(f"cloudrepo-server: {error}", file=sys.stderr)
        status = 1
    sys.exit(status)


def create_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="cloudrepo-server",
        description="A private Python package index that behaves as CloudRepo does.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, help=command.help)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
