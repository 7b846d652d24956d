"""Mutation testing: `python -m tests.support.mutants --sample 300 --seed 1`.

Each mutant is the code with one small change. A mutant is killed if a test fails; a mutant that
survives is a change that no test notices.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

from tests.support.mutants import line_map, trial
from tests.support.mutants.candidates import Mutant, candidates, sample
from tests.support.mutants.explained import Explanation, explanations
from tests.support.mutants.scope import SCOPE, SERVER
from tests.support.mutants.trial import Copy, Result

PROJECT = Path(__file__).parents[3]
BUILD = PROJECT / "build" / "mutants"
# The tests that take minutes, and fail only for the most severe changes, are left out.
TESTS = (
    "tests/server",
    "--ignore=tests/server/hostile/test_load.py",
    "--ignore=tests/server/hostile/test_fuzz.py",
)
_KILLED_PERCENT = 90


def main() -> None:
    """Try the mutants that the command line asks for, and report on them."""
    options = _parse()
    print(f"--sample {options.sample} --seed {options.seed}", flush=True)
    everything = candidates(PROJECT)
    if options.only:
        mutants = [mutant for mutant in everything if mutant.name in options.only]
    else:
        mutants = sample(everything, count=options.sample, seed=options.seed)
    scope = ", ".join(folder.as_posix() for folder in SCOPE)
    print(f"{len(mutants)} of the {len(everything)} mutants of {scope}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        folder = Path(name).resolve()
        mapped = _line_map(folder, options.tests)
        results = _try_all(mutants, mapped, folder, options)
    _report(results, explanations())


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.support.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=300, help="how many mutants to try")
    parser.add_argument(
        "--seed",
        type=int,
        default=random.randrange(10**6),  # noqa: S311 - not a secret
        help="chooses the same mutants of the same code again",
    )
    parser.add_argument("--only", action="append", help="try the mutant of this name; repeatable")
    parser.add_argument(
        "--workers", type=int, default=2, help="how many mutants to try at the same time"
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=120.0,
        help="the bound on the time of one mutant's tests, as measured without a mutant",
    )
    parser.add_argument(
        "--tests", nargs="+", default=TESTS, help="the tests that take part; default: tests/server"
    )
    return parser.parse_args()


def _line_map(folder: Path, tests: Sequence[str]) -> line_map.LineMap:
    """Return which tests execute which line; measure it if the code has changed."""
    copy = Copy(PROJECT, folder / "measured")
    trial.check(copy)
    digest = hashlib.sha256("\n".join(tests).encode())
    for top in (SERVER, Path("tests")):
        for path in sorted((PROJECT / top).rglob("*.py")):
            digest.update(path.read_bytes())
    file = BUILD / f"lines-{digest.hexdigest()[:16]}.json"
    if not file.exists():
        print("Running the tests once, to measure which lines each of them executes", flush=True)
        BUILD.mkdir(parents=True, exist_ok=True)
        measured = line_map.measure(copy.folder, folder / "measurements", [*tests])
        line_map.save(measured, file)
    return line_map.read(file)


def _try_all(
    mutants: list[Mutant], mapped: line_map.LineMap, folder: Path, options: argparse.Namespace
) -> list[tuple[Mutant, Result]]:
    copies = SimpleQueue[Copy]()
    for number in range(options.workers):
        copies.put(Copy(PROJECT, folder / f"copy-{number}"))
    name = f"results-{options.seed}-{options.sample}.jsonl"
    with ThreadPoolExecutor(options.workers) as pool, (BUILD / name).open("w") as log:

        def attempt(mutant: Mutant) -> tuple[Mutant, Result]:
            copy = copies.get()
            try:
                result = copy.try_mutant(mutant, mapped, seconds=options.seconds)
            finally:
                copies.put(copy)
            before, after = mutant.difference()
            print(f"{result.outcome}: {mutant.name} ({result.seconds:.0f} s)", flush=True)
            entry = {"name": mutant.name, "before": before, "after": after, **asdict(result)}
            log.write(json.dumps(entry) + "\n")
            log.flush()
            return mutant, result

        results = list(pool.map(attempt, mutants))
    while not copies.empty():
        copies.get().close()
    return results


def _report(results: list[tuple[Mutant, Result]], explained: list[Explanation]) -> None:
    counts = Counter(result.outcome for _, result in results)
    survivors = [
        (mutant, result)
        for mutant, result in results
        if result.outcome in (trial.SURVIVED, trial.NOT_EXECUTED)
    ]
    unexplained = 0
    for mutant, result in survivors:
        before, after = mutant.difference()
        known = next(
            (each for each in explained if each.explains(mutant.path, before, after)), None
        )
        unexplained += known is None
        print(f"\n{mutant.name}: {result.outcome}")
        print("\n".join(f"- {line.strip()}" for line in before.splitlines()))
        print("\n".join(f"+ {line.strip()}" for line in after.splitlines()))
        if result.left_out:
            print(f"{result.left_out} tests that execute the line were left out")
        print("explained: " + known.reason if known else "NOT EXPLAINED")
    killed = counts[trial.KILLED] + counts[trial.TIMED_OUT]
    seconds = sum(result.seconds for _, result in results) / max(1, len(results))
    print(f"\n{dict(counts)}; {unexplained} not explained; {seconds:.1f} s for each mutant")
    if unexplained or killed * 100 < _KILLED_PERCENT * len(results):
        sys.exit(1)


if __name__ == "__main__":
    main()
