"""The command `cloudrepo-server completion`: shell code that completes this command line."""

import argparse
import os
import sys

from cloudrepo_server.errors import InvalidError

EXAMPLES = (
    """completion bash >> ~/.bashrc""",
    """completion zsh >> ~/.zshrc""",
    """completion fish > ~/.config/fish/completions/cloudrepo-server.fish""",
)
_SHELLS = ("bash", "zsh", "fish")
# The shell code sets this variable when it requests completions.
_REQUESTED = "_ARGCOMPLETE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `completion`."""
    parser.add_argument("shell", choices=_SHELLS, help="the shell that completes the command")


def run(parsed: argparse.Namespace) -> int:
    """Print the code for a shell, and return the exit status.

    Raises:
        InvalidError: the library argcomplete is not installed.
    """
    try:
        from argcomplete.shell_integration import shellcode
    except ImportError:
        raise InvalidError(
            "completion needs argcomplete: install the extra with "
            'python -m pip install "pytest-cloudrepo[completion]"'
        ) from None
    sys.stdout.write(shellcode(["cloudrepo-server"], shell=parsed.shell) + "\n")
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Print completions and exit, if a shell requests them."""
    if _REQUESTED in os.environ:
        import argcomplete  # installed, because `completion` needs it to print the shell code

        argcomplete.autocomplete(parser)
