"""Asks for one URL again and again with wrk, which costs the machine next to nothing itself."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_SECONDS = 1
_UNITS = {"B": 2**-20, "KB": 2**-10, "MB": 1.0, "GB": 2.0**10}


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a server gave in a second: answers, and MiB."""

    answers: float
    mib: float


def load(
    url: str, headers: Mapping[str, str], *, connections: int, seconds: int = _SECONDS
) -> Loaded:
    """Keep connections busy with GET requests for some seconds.

    Raises:
        RuntimeError: wrk is not installed, or an answer was a refusal.
    """
    if shutil.which("wrk") is None:
        raise RuntimeError("these figures need the program wrk: install it (apt-get install wrk)")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    said = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said:
        raise RuntimeError(f"{url} was refused:\n{said}")
    rate = re.search(r"Requests/sec: +([\d.]+)", said)
    size = re.search(r"Transfer/sec: +([\d.]+)([KMG]?B)", said)
    if rate is None or size is None:
        raise RuntimeError(f"wrk said:\n{said}")
    return Loaded(float(rate[1]), float(size[1]) * _UNITS[size[2]])
