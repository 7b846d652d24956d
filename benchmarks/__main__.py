"""Measure cloudrepo-server against other package servers, and print a table in Markdown."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.cold_start import cold_start
from benchmarks.collection import collection
from benchmarks.idle_memory import idle_memory
from benchmarks.new_repository import new_repository
from benchmarks.reads import reads
from benchmarks.snapshots import snapshot
from benchmarks.table import Row, markdown
from benchmarks.uploads import large_upload, small_uploads
from benchmarks.workflow import workflow

GROUPS: dict[str, Callable[[Path, int], list[Row]]] = {
    "collection": collection,
    "start": cold_start,
    "memory": idle_memory,
    "repository": new_repository,
    "snapshot": snapshot,
    "small-uploads": small_uploads,
    "large-upload": large_upload,
    "reads": reads,
    "workflow": workflow,
}
ROUNDS = 15


def main() -> None:
    """Measure the requested groups of figures and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=_describe_groups(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help="a group of figures to measure (default: all)"
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=ROUNDS,
        help="how often to measure each figure (default: %(default)s)",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.groups) - set(GROUPS):
        parser.error(f"unknown group {', '.join(sorted(unknown))}; choose from {', '.join(GROUPS)}")
    rows: list[Row] = []
    for name in arguments.groups or GROUPS:
        print(f"measuring {name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix="cloudrepo-benchmark-") as folder:
            rows += GROUPS[name](Path(folder), arguments.rounds)
    print(_conditions(arguments.rounds))
    print()
    print(markdown(rows))


def _describe_groups() -> str:
    lines = [
        f"  {name:<15}{(measure.__doc__ or '').splitlines()[0]}" for name, measure in GROUPS.items()
    ]
    return "\n".join(["groups of figures:", *lines])


def _conditions(rounds: int) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, loopback, medians of {rounds} interleaved rounds."
    )


if __name__ == "__main__":
    main()
