"""The command line `cloudrepo-server`: its table of commands, its parser and `main`.

To add a command, add a module to this folder, and a row to `COMMANDS`. The module has the name of
the command, and the attributes of `CommandModule`. A process imports only the module of its
command. A command imports what it needs when it runs. The other modules of this folder are helpers.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from cloudrepo_server import logs
from cloudrepo_server.cli import completion, terminal
from cloudrepo_server.cli.given_text import ENCODING, is_text
from cloudrepo_server.cli.standard_streams import prepare_streams
from cloudrepo_server.errors import CloudRepoServerError

_PROGRAM = "cloudrepo-server"
_INTERRUPTED = 130  # as shells report Ctrl-C


class CommandModule(Protocol):
    """The module of a command."""

    EXAMPLES: Sequence[str]
    """Examples for the help, without the name of the program."""
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]
    """Runs the command, and returns the exit status."""


class Command(NamedTuple):
    """A command: its name and its one-line help."""

    name: str
    help: str

    @property
    def module(self) -> CommandModule:
        """The module of the command, which is imported at the first use."""
        return cast("CommandModule", import_module(f"{__name__}.{self.name}"))


COMMANDS = (
    Command("serve", "serve a package index until stopped"),
    Command("sweep", "delete leftovers of killed servers and pytest sessions"),
    Command("run", "run a command with every packaging tool configured to use a new index"),
    Command(
        "check", "check whether PyPI would accept the files of a release, without uploading them"
    ),
    Command(
        "rehearse",
        "rehearse a release: run the command that publishes it, against an imitation of PyPI",
    ),
    Command(
        "snapshot",
        "record the releases that a resolution may need from another index, without their files",
    ),
    Command("repo", "create, list, change and delete repositories of a running server"),
    Command("user", "create, list, change and delete repository users of a running server"),
    Command("token", "create, list and revoke tokens of a running server"),
    Command(
        "completion", "print the code with which bash, zsh or fish completes this command line"
    ),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name, and exit with its status.

    Args:
        arguments: the arguments; by default those of this process.
    """
    if arguments is None:
        arguments = sys.argv[1:]
    prepare_streams()
    named = [command for command in COMMANDS if command.name in arguments[:1]]
    parser = create_parser(named or COMMANDS)
    completion.complete(parser)
    parsed = parser.parse_args(arguments)
    for name, value in vars(parsed).items():
        if isinstance(value, str) and not is_text(value):
            parser.error(f"argument {name}: not text in the encoding {ENCODING}")
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


def create_parser(commands: Sequence[Command] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        commands: the commands that it parses.
    """
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        description="A private Python package index that behaves as CloudRepo does.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands:
        module = command.module
        lines = "\n".join(f"  {_PROGRAM} {example}" for example in module.EXAMPLES)
        subparser = subparsers.add_parser(
            command.name,
            help=command.help,
            epilog=f"examples:\n{lines}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
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
