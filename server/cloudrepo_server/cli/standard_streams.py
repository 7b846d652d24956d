"""The standard streams of this process, which its parent process may have closed or redirected."""

import contextlib
import io
import os
import sys
from typing import TextIO, cast


def prepare_streams() -> None:
    """Make the standard streams usable, whatever the parent process passed on.

    A closed stream becomes the null device. Otherwise the next opened file or socket would get its
    number, and everything that is printed would go there.

    Standard output prints escapes for characters that its encoding lacks. Otherwise a text with
    such a character, for example a path, would end the command with an error. Python configures
    standard error in the same way.
    """
    if _is_closed(sys.stdin):
        sys.stdin = _null_device(0, "r")
    if _is_closed(sys.stdout):
        sys.stdout = _null_device(1, "w")
    if _is_closed(sys.stderr):
        sys.stderr = _null_device(2, "w")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _is_closed(stream: TextIO | None) -> bool:
    return stream is None


def _null_device(number: int, mode: str) -> TextIO:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    os.set_inheritable(number, True)  # noqa: FBT003 (positional only)
    return cast("TextIO", os.fdopen(number, mode, encoding="utf-8", closefd=False))


def can_answer() -> bool:
    """Return whether a person can answer a question: standard input is a terminal."""
    if not sys.stdin.isatty():
        return False
    if sys.platform == "win32":
        # On Windows, the null device counts as a terminal: https://bugs.python.org/issue28654
        import ctypes
        import msvcrt

        # A stream of another kind has no number.
        with contextlib.suppress(io.UnsupportedOperation):
            handle = msvcrt.get_osfhandle(sys.stdin.fileno())
            mode = ctypes.c_uint32()
            return bool(ctypes.windll.kernel32.GetConsoleMode(handle, ctypes.byref(mode)))
    return True
