"""A provider of identity tokens: the fields of its publishers, and the claims of its jobs."""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cloudrepo_server.errors import InvalidError

Claims = Mapping[str, Any]
"""The claims of an identity token."""
Fields = Mapping[str, str]
"""The fields of a trusted publisher or of a job."""

MAX_FIELD = 255
"""The maximum number of characters of a field."""

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_REPOSITORY_IN_GROUPS = re.compile(r"[\w.-]+(/[\w.-]+)+", re.ASCII)
_WORKFLOW_NAME = re.compile(r"[^/@]+\.ya?ml")
_WORKFLOW_PATH = re.compile(r"[^/@]([^@]*[^/@])?\.ya?ml|\.[^/@]+\.ya?ml")


class ClaimError(Exception):
    """A token lacks a claim that its provider always sets, or its claims contradict each other."""


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """A service whose jobs get identity tokens."""

    name: str
    title: str
    """The name of the service, as people write it."""
    issuer: str
    """The claim `iss` of its tokens."""
    required: tuple[str, ...]
    """The fields that every publisher has, in the order of a publisher's specification."""
    optional: tuple[str, ...] = ()
    """The fields that a publisher may have. A publisher without one accepts any value."""
    defaults: Mapping[str, str] = {}
    """The values of required fields that may be left out."""
    case_insensitive: frozenset[str] = frozenset()
    """The fields that are compared without case."""
    patterns: Mapping[str, tuple[re.Pattern[str], str]] = {}
    """The patterns of some fields, and the advice if a value does not match."""
    lifetime: float
    """The seconds for which a token is valid."""
    backdated: float | None = 0.0
    """The seconds by which `nbf` is earlier than `iat`, or None for tokens without `nbf`."""
    has_jti: bool = True
    """Whether each token has an identifier of its own."""
    claims: Callable[[Fields, Claims], dict[str, Any]]
    """Returns the claims of a job with these fields. The second argument has the claims that were
    given, such as `ref`, from which others follow."""
    stated: Callable[[Claims], dict[str, tuple[str, ...]]]
    """Returns the values that a token states for each field. Raises `ClaimError`."""

    def check_fields(self, given: Fields) -> dict[str, str]:
        """Return the fields of a publisher or a job, with the defaults.

        Raises:
            InvalidError: a field is missing, unknown or invalid.
        """
        known = (*self.required, *self.optional)
        fields = {**self.defaults, **{name: value for name, value in given.items() if value}}
        unknown = sorted(set(fields) - set(known))
        missing = [name for name in self.required if name not in fields]
        if unknown or missing:
            problem = (
                f"unknown field {', '.join(name[:64] for name in unknown)}"
                if unknown
                else f"{', '.join(missing)} is missing"
            )
            optional = f" and, optionally, {', '.join(self.optional)}" if self.optional else ""
            raise InvalidError(
                f"Invalid trusted publisher of {self.title}: {problem}. "
                f"It has {', '.join(self.required)}{optional}."
            )
        for name, value in fields.items():
            self._check_field(name, value)
        return fields

    def first_difference(
        self, publisher: Fields, stated: Mapping[str, tuple[str, ...]]
    ) -> str | None:
        """Return None if a token states the fields of a publisher, or else the first difference."""
        for name, expected in publisher.items():
            values = stated.get(name, ())
            if name in self.case_insensitive:
                found = expected.lower() in [value.lower() for value in values]
            else:
                found = expected in values
            if not found:
                actual = ", ".join(map(repr, values)) or "none"
                return f"the {name} is {actual[:MAX_FIELD]}, not {expected!r}"
        return None

    def _check_field(self, name: str, value: str) -> None:
        if len(value) > MAX_FIELD or not value.isprintable() or value != value.strip():
            raise InvalidError(
                f"Invalid {name} {value[:64]!r}: use at most {MAX_FIELD} printable characters, "
                "without spaces at its ends."
            )
        pattern, advice = self.patterns.get(name, (None, ""))
        if pattern is not None and pattern.fullmatch(value) is None:
            raise InvalidError(f"Invalid {name} {value[:64]!r} for {self.title}: {advice}.")


ONE_OWNER = {
    "repository": (_REPOSITORY, "use the form OWNER/NAME"),
    "workflow": (_WORKFLOW_NAME, "use the name of a .yml or .yaml file, without its folder"),
}
"""The patterns for providers whose repositories have an owner, with all workflows in one folder."""
GROUPS = {
    "repository": (_REPOSITORY_IN_GROUPS, "use the form GROUP/NAME or GROUP/SUBGROUP/NAME"),
    "workflow": (_WORKFLOW_PATH, "use the path of a .yml or .yaml file in the repository"),
}
"""The patterns for providers whose repositories are in groups, with workflows in any folder."""


def text_claim(claims: Claims, name: str) -> str:
    """Return a claim that must be a string.

    Raises:
        ClaimError: the claim is missing, empty or not a string.
    """
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise ClaimError(f"Missing claim {name!r}")
    return value


def optional_claim(claims: Claims, name: str) -> tuple[str, ...]:
    """Return a claim as a tuple of one string, or an empty tuple if it is not a string."""
    value = claims.get(name)
    return (value,) if isinstance(value, str) and value else ()


def number_of(*names: str) -> str:
    """Return a number that is always the same for these names, like an identifier of a service."""
    digest = hashlib.sha256(_encode(*names).lower()).digest()
    return str(int.from_bytes(digest[:4]) + 1)


def uuid_of(*names: str) -> str:
    """Return a UUID that is always the same for these names."""
    digits = hashlib.sha256(_encode(*names)).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def commit_of(*names: str) -> str:
    """Return the identifier of a commit that is always the same for these names."""
    return hashlib.sha256(_encode(*names)).hexdigest()[:40]


def _encode(*names: str) -> bytes:
    return "/".join(names).encode(errors="surrogatepass")
