"""A provider of identity tokens: the fields of its publishers, and the claims of its jobs."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from cloudrepo_server.errors import InvalidError

Claims = Mapping[str, Any]
"""The claims of an identity token."""
Fields = Mapping[str, str]
"""The fields of a trusted publisher or of a job."""

# The maximum number of characters of a field.
_MAX_FIELD = 255

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
    shown: Mapping[str, str] = {}
    """The publisher's fields in a provenance object: their names there, and the names here."""

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

    def provenance(self, fields: Fields) -> dict[str, str | None]:
        """Return a publisher with these fields as a provenance object shows it."""
        return {"kind": self.title, **{name: fields.get(each) for name, each in self.shown.items()}}

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
                return f"the {name} is {actual[:_MAX_FIELD]}, not {expected!r}"
        return None

    def _check_field(self, name: str, value: str) -> None:
        if len(value) > _MAX_FIELD or not value.isprintable() or value != value.strip():
            raise InvalidError(
                f"Invalid {name} {value[:64]!r}: use at most {_MAX_FIELD} printable characters, "
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


def check_subject(claims: Claims, kind: str, repository: str) -> None:
    """Check that the subject of a token is a source repository: `KIND:REPOSITORY:...`.

    Raises:
        ClaimError: the subject is missing, or is something else.
    """
    if text_claim(claims, "sub").split(":")[:2] != [kind, repository]:
        raise ClaimError("Check failed for required claim 'sub'")


def workflow_claim(
    claims: Claims, name: str, form: re.Pattern[str], *, repository: str, refs: Sequence[str]
) -> str:
    """Return the workflow that a claim names.

    Args:
        claims: the claims of a token.
        name: the name of the claim.
        form: the pattern of the claim, with the groups `repository`, `workflow` and `ref`.
        repository: the source repository of the job.
        refs: the revisions of the job.

    Raises:
        ClaimError: the claim is missing or malformed, or names a workflow of another repository or
            revision. Such a workflow is rejected even if its file name is the same.
    """
    text = text_claim(claims, name)
    match = form.fullmatch(text)
    if match is None:
        raise ClaimError("Could not extract workflow filename from OIDC claims")
    if match["repository"].lower() != repository.lower() or match["ref"] not in refs:
        stem = text[: match.start("ref")].replace(match["repository"], repository, 1)
        expected = [f"{stem}{ref}" for ref in refs]
        raise ClaimError(
            f"The {name} claim does not match, expecting one of {expected!r}, got {text!r}"
        )
    return match["workflow"]


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
