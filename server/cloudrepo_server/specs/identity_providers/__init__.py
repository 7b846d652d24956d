"""Identity providers: services whose jobs get identity tokens, for trusted publishing.

Each module describes one provider as PyPI and the library `id` know it: the fields of a publisher,
the claims of a job, and how PyPI compares them.
"""

NAMES = ("github", "gitlab", "google", "buildkite", "circleci", "activestate")
"""The names of the providers in `table.py`, without importing their modules."""
