"""Benchmarks: run `python -m benchmarks` in the project's folder.

The results are in `docs/benchmarks.md`.
"""
