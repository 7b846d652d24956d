"""What the commands show on a terminal only: colours, questions and progress."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final, Literal, TextIO

from cloudrepo_server.cli.output import printable

Colour = Literal["red", "green", "yellow", "bold"]

_CODES: Final[dict[Colour, int]] = {"bold": 1, "red": 31, "green": 32, "yellow": 33}
_SHOW_AFTER_SECONDS = 1.0
_REFRESH_SECONDS = 0.5
_CLEAR_LINE = "\r\x1b[K"


def coloured(text: str, colour: Colour, stream: TextIO) -> str:
    """Return a text with a colour if a stream is a terminal with colours.

    The variable `NO_COLOR` turns colours off, as https://no-color.org describes.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return text
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m"


def tick() -> str:
    """Return the mark of a success, for the standard output."""
    return coloured(_encodable("✓", "+"), "green", sys.stdout)


def cross() -> str:
    """Return the mark of a failure, for the standard output."""
    return coloured(_encodable("✗", "x"), "red", sys.stdout)


def _encodable(text: str, replacement: str) -> str:
    """Return a text, or its replacement if the encoding of the standard output lacks it."""
    # On Windows, this is often the encoding of output to a file or to the log of a CI job.
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return replacement
    return text


def print_error(message: object) -> None:
    """Print an error of a command."""
    label = coloured("cloudrepo-server:", "red", sys.stderr)
    # A message may quote a server or a file.
    text = "\n".join(map(printable, str(message).split("\n")))
    print(f"{label} {text}", file=sys.stderr)


def confirm(question: str) -> bool:
    """Ask a question on the terminal, and return whether the answer is yes."""
    try:
        answer = input(f"{question} [y/N] ")
    except EOFError:  # Ctrl-D
        print()
        return False
    return answer.strip().lower() in ("y", "yes")


def ask_secret(name: str) -> str:
    """Ask for a secret on the terminal, without showing it; return it, or "" for no answer."""
    from getpass import getpass  # slow to import

    try:
        return getpass(f"{name}: ")
    except EOFError:  # Ctrl-D
        print(file=sys.stderr)
        return ""


@contextmanager
def progress(
    activity: str | Callable[[], str], *, after: float = _SHOW_AFTER_SECONDS
) -> Iterator[None]:
    """Show an activity and its duration on the terminal, until the block ends.

    Args:
        activity: the text to show, such as `Checking 3 files`, or a function that returns it.
        after: how many seconds to wait before the text is shown.
    """
    if not sys.stderr.isatty():
        yield
        return
    ended = threading.Event()
    started = monotonic()

    def show() -> None:
        if ended.wait(after):
            return
        while True:
            seconds = monotonic() - started
            text = activity if isinstance(activity, str) else activity()
            sys.stderr.write(f"{_CLEAR_LINE}{text} … {seconds:.0f} s")
            sys.stderr.flush()
            if ended.wait(_REFRESH_SECONDS):
                sys.stderr.write(_CLEAR_LINE)
                sys.stderr.flush()
                return

    shown = threading.Thread(target=show, name="progress", daemon=True)
    shown.start()
    try:
        yield
    finally:
        ended.set()
        shown.join()
