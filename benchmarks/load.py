"""Load on one URL, produced by wrk, which uses very little of the processor itself."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_SECONDS = 1
_UNITS = {"B": 2**-20, "KB": 2**-10, "MB": 1.0, "GB": 2.0**10}


@dataclass(frozen=True, slots=True)
class Throughput:
    """The responses and the MiB that a server sent per second."""

    responses: float
    mib: float


def load(
    url: str, headers: Mapping[str, str], *, connections: int, seconds: int = _SECONDS
) -> Throughput:
    """Send GET requests over several connections for some seconds; return the throughput.

    Raises:
        RuntimeError: wrk is not installed, or the server returned an error status.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError(
            "these figures require the program wrk: install it (apt-get install wrk)"
        )
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    output = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output:
        raise RuntimeError(f"{url} returned an error status:\n{output}")
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    size = re.search(r"Transfer/sec: +([\d.]+)([KMG]?B)", output)
    if rate is None or size is None:
        raise RuntimeError(f"the output of wrk has no rates:\n{output}")
    return Throughput(float(rate[1]), float(size[1]) * _UNITS[size[2]])
