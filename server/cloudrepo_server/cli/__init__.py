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
from cloudrepo_server.cli import (
    check,
    completion,
    rehearse,
    repo,
    run,
    serve,
    snapshot,
    sweep,
    terminal,
    token,
    user,
)
from cloudrepo_server.cli.actions import run_action
from cloudrepo_server.errors import CloudRepoServerError

_PROGRAM = "cloudrepo-server"
_INTERRUPTED = 130  # as shells report Ctrl-C


class Command(NamedTuple):
    """A command: its name, its one-line help, its arguments, its function and its examples."""

    name: str
    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    examples: Sequence[str]


COMMANDS = (
    Command(
        "serve",
        "serve a package index until stopped",
        serve.add_arguments,
        serve.run,
        serve.EXAMPLES,
    ),
    Command(
        "sweep",
        "delete leftovers of killed servers and pytest sessions",
        sweep.add_arguments,
        sweep.run,
        sweep.EXAMPLES,
    ),
    Command(
        "run",
        "run a command with every packaging tool configured to use a new index",
        run.add_arguments,
        run.run,
        run.EXAMPLES,
    ),
    Command(
        "check",
        "check whether PyPI would accept the files of a release, without uploading them",
        check.add_arguments,
        check.run,
        check.EXAMPLES,
    ),
    Command(
        "rehearse",
        "rehearse a release: run the command that publishes it, against an imitation of PyPI",
        rehearse.add_arguments,
        rehearse.run,
        rehearse.EXAMPLES,
    ),
    Command(
        "snapshot",
        "record the releases that a resolution may need from another index, without their files",
        snapshot.add_arguments,
        snapshot.run,
        snapshot.EXAMPLES,
    ),
    Command(
        "repo",
        "create, list, change and delete repositories of a running server",
        repo.add_arguments,
        run_action,
        repo.EXAMPLES,
    ),
    Command(
        "user",
        "create, list, change and delete repository users of a running server",
        user.add_arguments,
        run_action,
        user.EXAMPLES,
    ),
    Command(
        "token",
        "create, list and revoke tokens of a running server",
        token.add_arguments,
        run_action,
        token.EXAMPLES,
    ),
    Command(
        "completion",
        "print the code with which bash, zsh or fish completes this command line",
        completion.add_arguments,
        completion.run,
        completion.EXAMPLES,
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit with its status.

    Args:
        arguments: the arguments; by default those of this process.
    """
    parser = create_parser()
    completion.complete(parser)
    parsed = parser.parse_args(arguments)
    logs.configure()
    try:
        status = parsed.run(parsed)
    except CloudRepoServerError as error:
        terminal.print_error(error)
        status = 1
    except OSError as error:
        terminal.print_error(_describe(error))
        status = 1
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def create_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="A private Python package index that behaves as CloudRepo does.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        lines = "\n".join(f"  {_PROGRAM} {example}" for example in command.examples)
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            epilog=f"examples:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser


class _Version(argparse.Action):
    """An option that prints the version and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:  # noqa: A002 - argparse's name
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and exit."""
        # Imported here because it is slow, and only this option needs it.
        from importlib.metadata import version

        print(f"{_PROGRAM} {version('pytest-cloudrepo')}")
        parser.exit()


def _describe(error: OSError) -> str:
    """Return what failed, and for which file."""
    reason = error.strerror or str(error)
    return reason if error.filename is None else f"{error.filename}: {reason}"
