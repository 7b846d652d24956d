"""Identity providers: services whose jobs get identity tokens, for trusted publishing.

Each module describes a provider: the fields of a publisher, the claims of a job, and how PyPI
compares both. The facts come from PyPI's source code and from the library `id`.
"""

NAMES = ("github", "gitlab", "google", "buildkite", "circleci", "activestate")
"""The names of the providers in `table.py`, whose modules are slower to import."""
