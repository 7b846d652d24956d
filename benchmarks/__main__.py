"""Measure cloudrepo-server against other package servers, and print a table in Markdown."""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.cold_start import cold_start
from benchmarks.collection import collection
from benchmarks.idle_memory import idle_memory
from benchmarks.many_tests import many_tests
from benchmarks.new_repository import new_repository
from benchmarks.reads import reads
from benchmarks.sessions import one_test
from benchmarks.snapshots import snapshot
from benchmarks.table import Row, markdown_header, markdown_row
from benchmarks.uploads import large_upload, small_uploads
from benchmarks.workflow import workflow


class Group(NamedTuple):
    """A group of figures, and about how long their measurement takes."""

    measure: Callable[[Path, int], list[Row]]
    seconds: int
    """The time with the default number of rounds, on two otherwise idle cores."""


GROUPS = {
    "collection": Group(collection, 30),
    "start": Group(cold_start, 30),
    "memory": Group(idle_memory, 10),
    "repository": Group(new_repository, 10),
    "snapshot": Group(snapshot, 60),
    "small-uploads": Group(small_uploads, 60),
    "large-upload": Group(large_upload, 60),
    "reads": Group(reads, 120),
    "workflow": Group(workflow, 70),
    "one-test": Group(one_test, 75),
    "many-tests": Group(many_tests, 100),
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
    print(f"{_conditions(arguments.rounds)}\n\n{markdown_header()}", flush=True)
    for name in arguments.groups or GROUPS:
        print(f"measuring {name} ...", file=sys.stderr)
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="cloudrepo-benchmark-") as folder:
            rows = GROUPS[name].measure(Path(folder), arguments.rounds)
        # Printed before the next group starts, because a failure there would lose these rows.
        for row in rows:
            print(markdown_row(row), flush=True)
        print(f"measured {name} in {time.perf_counter() - start:.0f} s", file=sys.stderr)


def _describe_groups() -> str:
    lines = [
        f"  {name:<15}{group.seconds:>4} s  {(group.measure.__doc__ or '').splitlines()[0]}"
        for name, group in GROUPS.items()
    ]
    return "\n".join(["groups of figures, and about how long each takes:", *lines])


def _conditions(rounds: int) -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores, loopback, medians of {rounds} interleaved rounds."
    )


if __name__ == "__main__":
    main()
