"""Strings that subprocesses can use but reports do not show."""

from __future__ import annotations


class Secret(str):
    """A string whose `repr` is `'***'`.

    So tracebacks, `--showlocals` and failed assertions do not show it. Otherwise it is an ordinary
    string: `str()`, formatting and printing show it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hide(environ: dict[str, str], *secrets: str) -> dict[str, str]:
    """Return a copy of `environ` in which each value that contains a secret is a `Secret`."""
    return {
        name: Secret(value) if any(secret in value for secret in secrets) else value
        for name, value in environ.items()
    }
