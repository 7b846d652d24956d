"""`python -m benchmarks` measures, and prints the table in Markdown."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.collection import collection
from benchmarks.reads import reads
from benchmarks.start import cold_start
from benchmarks.table import Row, markdown
from benchmarks.uploads import large_upload, small_uploads
from benchmarks.way import whole_way
from benchmarks.work import idle_memory, new_repository

FIGURES: dict[str, Callable[[Path, int], list[Row]]] = {
    "collection": collection,
    "start": cold_start,
    "memory": idle_memory,
    "repository": new_repository,
    "small": small_uploads,
    "large": large_upload,
    "reads": reads,
    "way": whole_way,
}
ROUNDS = 15


def main() -> None:
    """Measure the figures that are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("figures", nargs="*", help=f"of {', '.join(FIGURES)}; all if left out")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"({ROUNDS})")
    given = parser.parse_args()
    if unknown := set(given.figures) - set(FIGURES):
        parser.error(f"there is no figure {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    for name in given.figures or FIGURES:
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="cloudrepo-benchmark-") as folder:
            rows += FIGURES[name](Path(folder), given.rounds)
    print(_where_and_when(given.rounds))
    print()
    print(markdown(rows))


def _where_and_when(rounds: int) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, loopback, medians of {rounds} interleaved rounds."
    )


if __name__ == "__main__":
    main()
