"""A program in a pseudo-terminal, and what the terminal shows."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.support.wait import SECONDS


class TerminalProgram:
    """A running program in a pseudo-terminal."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process = process
        self._terminal = terminal
        self._output = b""

    @property
    def shown(self) -> str:
        """The text that the terminal has shown so far."""
        return self._output.decode(errors="replace")

    def type(self, text: str) -> None:
        """Type a text on the terminal, for a program that reads from it."""
        os.write(self._terminal, text.encode())

    def wait_for(self, pattern: str, *, seconds: float = SECONDS) -> re.Match[str]:
        """Wait until the terminal shows text that matches a regular expression.

        Raises:
            TimeoutError: no text matched until the deadline.
            RuntimeError: the program closed the terminal before.
        """
        deadline = time.monotonic() + seconds
        while not (match := re.search(pattern, self.shown)):
            remaining = max(0.0, deadline - time.monotonic())
            if not select.select([self._terminal], [], [], remaining)[0]:
                raise TimeoutError(
                    f"waited {seconds} s for a terminal to show {pattern!r}; "
                    f"it shows {self.shown!r}"
                )
            data = self._read()
            if not data:
                raise RuntimeError(
                    f"the program closed its terminal before it showed {pattern!r}; "
                    f"it showed {self.shown!r}"
                )
            self._output += data
        return match

    def _read(self) -> bytes:
        try:
            return os.read(self._terminal, 4096)
        except OSError:
            # Linux reports EIO when the program has closed the terminal.
            return b""


@contextmanager
def run_in_terminal(
    command: Sequence[str], environ: Mapping[str, str], *, is_input: bool = False
) -> Iterator[TerminalProgram]:
    """Run a program in a new pseudo-terminal. At the end it is killed if it still runs.

    Args:
        command: the program and its arguments.
        environ: the environment of the program.
        is_input: whether the program reads from the terminal too, rather than from an empty file.
    """
    import pty  # noqa: PLC0415 (Windows has no such module)

    terminal, other_end = pty.openpty()
    try:
        with subprocess.Popen(
            command,
            env=environ,
            stdin=other_end if is_input else subprocess.DEVNULL,
            stdout=other_end,
            stderr=other_end,
            # A program that asks for a password prefers the terminal of its session.
            start_new_session=is_input,
        ) as process:
            os.close(other_end)
            try:
                yield TerminalProgram(process, terminal)
            finally:
                process.kill()
    finally:
        os.close(terminal)
