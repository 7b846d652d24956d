"""A Python process that has imported the libraries of the tests, and forks for each run of pytest.

So a run does not wait for these imports. No module of this project is imported before the fork:
each run imports the modules as they are then.

A request is a line with pytest's arguments and a file for the output, as JSON. Its response is a
line with the id of the new process, and a line with its exit status.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

_LIBRARIES = (
    *("pytest", "_pytest.pytester", "hypothesis", "_hypothesis_pytestplugin", "xdist.plugin"),
    *("requests", "requests_mock", "xprocess.xprocess", "psutil", "packaging.metadata"),
    *("aiohttp.web", "aiohttp.test_utils", "msgspec", "obstore", "multipart", "h11", "trustme"),
)


def main() -> None:
    """Respond to requests until the standard input ends."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        arguments, output = json.loads(line)
        process = os.fork()
        if process == 0:
            _run(arguments, Path(output))
        print(process, flush=True)
        _, status = os.waitpid(process, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(arguments: list[str], output: Path) -> None:
    """Run pytest and exit."""
    code = 3
    try:
        os.setsid()
        with output.open("wb") as file, Path(os.devnull).open("rb") as nothing:
            os.dup2(nothing.fileno(), 0)
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = importlib.import_module("pytest").main(arguments)
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
