"""Records which test executes each line of the server, in every process that the tests start.

Python imports `sitecustomize` when it starts, and that module calls `start`. The test that runs is
the one that `recording_plugin` wrote to a file. Coverage cannot do this: its contexts of tests end
at the first exception that asyncio throws into a coroutine.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import mmap
import os
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import TraceFunction

VARIABLE = "MUTANTS_RECORDING"
RUNNING = "running"
DURATIONS = "durations.jsonl"
NUMBER_SIZE = 8
SIZE = 4096
SITECUSTOMIZE = "from tests.support.mutants import recorder\n\nrecorder.start()\n"


class Recorder:
    """Writes each test and the lines that it executes to a file of this process."""

    def __init__(self, folder: Path, code: str) -> None:
        self._code = code
        # Opened at once: a test may use up all file descriptors.
        path = folder / f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self._output = path.open("ab", buffering=0)
        with (folder / RUNNING).open("rb") as file:
            self._running = mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ)
        self._number = self._running[:NUMBER_SIZE]
        self._test = self._name()
        self._lines = set[tuple[str, int]]()
        self._lock = threading.Lock()

    def on_call(self, frame: FrameType, _event: str, _argument: object) -> TraceFunction | None:
        """Record the lines of a frame of the server; the trace function of every thread."""
        filename = frame.f_code.co_filename
        return self._on_line if filename.startswith(self._code) else None

    def _on_line(self, frame: FrameType, event: str, _argument: object) -> TraceFunction:
        if event == "line":
            if self._running[:NUMBER_SIZE] != self._number:
                self.write()
            self._lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._on_line

    def write(self) -> None:
        """Write the lines of the last test."""
        with self._lock:
            lines, self._lines = self._lines, set()
            by_file: dict[str, list[int]] = {}
            for filename, line in lines:
                by_file.setdefault(filename, []).append(line)
            if by_file:
                # An exception in a trace function would end the recording; a disk may be full.
                with contextlib.suppress(OSError):
                    self._output.write(json.dumps([self._test, by_file]).encode() + b"\n")
            self._number = self._running[:NUMBER_SIZE]
            self._test = self._name()

    def _name(self) -> str:
        return self._running[NUMBER_SIZE:].rstrip(b"\0").decode(errors="replace")


_recorders: list[Recorder] = []


def start() -> None:
    """Record this process, if it belongs to a measurement."""
    if VARIABLE not in os.environ:
        return
    folder, _, code = os.environ[VARIABLE].partition(os.pathsep)
    recorder = Recorder(Path(folder), code)
    _recorders.append(recorder)
    atexit.register(recorder.write)
    continue_recording()


def continue_recording() -> None:
    """Record the current thread and those that start: hypothesis ends the recording of a thread."""
    for recorder in _recorders:
        threading.settrace(recorder.on_call)
        sys.settrace(recorder.on_call)
