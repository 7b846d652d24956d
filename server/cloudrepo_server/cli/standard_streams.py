"""The standard streams of this process, which its parent process may have closed or redirected."""

import contextlib
import io
import os
import sys

_NAMES = ("stdin", "stdout", "stderr")


def prepare_streams() -> None:
    """Make the standard streams usable, whatever the parent process passed on.

    A closed stream becomes the null device. Otherwise the next opened file or socket would get its
    number, and everything that is printed would go there.

    Standard output prints escapes for characters that its encoding lacks. Otherwise a text with
    such a character, for example a path, would end the command with an error. Python configures
    standard error in the same way.
    """
    for number, name in enumerate(_NAMES):
        if getattr(sys, name) is None:
            _open_null_device(number)
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (a descriptor, for the life of this process)
            setattr(sys, name, stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _open_null_device(number: int) -> None:
    opened = os.open(os.devnull, os.O_RDWR)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    os.set_inheritable(number, True)  # noqa: FBT003 (positional only)


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
