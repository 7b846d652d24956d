"""Measures what `docs/benchmarks.md` shows: `python -m benchmarks`, from the project's folder."""
