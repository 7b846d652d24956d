"""A file that cannot be opened for a while, as on Windows while another process renames it."""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

_GENERIC_READ = 0x80000000
_OPEN_EXISTING = 3


@contextlib.contextmanager
def locked(path: Path) -> Iterator[Callable[[], None]]:
    """Lock a file on Windows, and yield a function that unlocks the file."""
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.CreateFileW.restype = ctypes.c_void_p
        handle = kernel.CreateFileW(str(path), _GENERIC_READ, 0, None, _OPEN_EXISTING, 0, None)
        if handle == ctypes.c_void_p(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())
        with contextlib.ExitStack() as stack:
            stack.callback(kernel.CloseHandle, ctypes.c_void_p(handle))
            yield stack.close
    else:
        raise NotImplementedError("only Windows can lock a file")
