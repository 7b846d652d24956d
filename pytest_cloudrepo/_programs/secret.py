"""Text that programs use and people do not see."""

from __future__ import annotations


class Secret(str):
    """A string that neither a traceback nor `--showlocals` nor a failed assertion shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def hide(environ: dict[str, str], *secrets: str) -> dict[str, str]:
    """ENVIRON, with each value that holds one of the secrets made a `Secret`."""
    return {
        name: Secret(value) if any(secret in value for secret in secrets) else value
        for name, value in environ.items()
    }
