"""Faults: failures that a test makes a repository produce.

A fault matches some requests, by their kind, method, path, project and user. It fires for each of
them or for every n-th, and at most `times` times.
"""

import re
import secrets
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta
from packaging.utils import canonicalize_name

from cloudrepo_server.errors import ConflictError, InvalidError, NotFoundError
from cloudrepo_server.limits import MAX_FAULT_HEADERS, MAX_FAULT_TEXT, MAX_FAULTS
from cloudrepo_server.models import ProjectDocument, SerialsDocument

RequestKind = Literal["root", "page", "file", "metadata", "json", "provenance", "upload"]

_READS: frozenset[RequestKind] = frozenset(
    {"root", "page", "file", "metadata", "json", "provenance"}
)
_ALL: frozenset[RequestKind] = _READS | {"upload"}
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Text = Annotated[str, Meta(max_length=MAX_FAULT_TEXT)]
StatusCode = Annotated[int, Meta(ge=200, le=599)]


class Fault(
    msgspec.Struct, tag_field="kind", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """The conditions that every kind of fault has."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _ALL
    combines: ClassVar[bool] = False
    """Whether it can fire together with another fault."""

    times: Positive | None = None
    every: Positive = 1
    method: Text | None = None
    path: Text = "*"
    project: Text | None = None
    user: Text | None = None


class Status(Fault, tag="status", frozen=True, kw_only=True):
    """An error response with this status, instead of the normal response."""

    status: StatusCode
    reason: Text | None = None
    headers: Annotated[dict[Text, Text], Meta(max_length=MAX_FAULT_HEADERS)] = msgspec.field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if _HEADER_NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is not a valid header name")
            if not value.isprintable():
                raise ValueError(f"the value of the header {name} is not printable")


class Latency(Fault, tag="latency", frozen=True, kw_only=True):
    """A delay before the response."""

    combines: ClassVar[bool] = True

    seconds: Seconds


class Drip(Fault, tag="drip", frozen=True, kw_only=True):
    """A response that is sent slowly."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _READS
    combines: ClassVar[bool] = True

    bytes_per_second: Positive


class Reset(Fault, tag="reset", frozen=True, kw_only=True):
    """A connection reset before, during or after the body of the upload or of the response."""

    when: Literal["before", "during", "after"] = "before"


class Truncate(Fault, tag="truncate", frozen=True, kw_only=True):
    """A response that ends after `keep` bytes, before its Content-Length."""

    request_kinds: ClassVar[frozenset[RequestKind]] = _READS

    keep: Annotated[int, Meta(ge=0)] = 0


class Corrupt(Fault, tag="corrupt", frozen=True, kw_only=True):
    """A file with one wrong byte."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"file", "metadata"})


class WrongHash(Fault, tag="wrong-hash", frozen=True, kw_only=True):
    """A project page with wrong digests of the files."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class WrongMetadataHash(Fault, tag="wrong-metadata-hash", frozen=True, kw_only=True):
    """A project page with wrong digests of the core metadata files."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class MissingMetadata(Fault, tag="missing-metadata", frozen=True, kw_only=True):
    """A core metadata file that the project page announces but that is not found."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"metadata"})


class StalePage(Fault, tag="stale-page", frozen=True, kw_only=True):
    """Pages as they were when the fault was installed (eventual consistency)."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"root", "page", "json"})


class StoredThenError(Fault, tag="stored-then-error", frozen=True, kw_only=True):
    """An error response to an upload that was stored."""

    request_kinds: ClassVar[frozenset[RequestKind]] = frozenset({"upload"})

    status: StatusCode = 503


FaultSpecification = (
    Status
    | Latency
    | Drip
    | Reset
    | Truncate
    | Corrupt
    | WrongHash
    | WrongMetadataHash
    | MissingMetadata
    | StalePage
    | StoredThenError
)


KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(FaultSpecification))


class _KindOnly(msgspec.Struct):
    kind: str


class RequestFacts(msgspec.Struct, frozen=True):
    """The details of a request that faults match; `path` is relative to the repository."""

    method: str
    path: str
    kind: RequestKind
    project: str | None
    user: str | None


class FiredFault(msgspec.Struct, frozen=True):
    """A fault that changed a response, as the journal lists it."""

    id: str
    number: int
    """The number of the fault in its repository. Faults are numbered from 1, oldest first."""
    kind: str


class InstalledFault(msgspec.Struct, eq=False):
    """A fault of a repository, and the number of times that it fired."""

    specification: FaultSpecification
    snapshot: dict[str, ProjectDocument] = msgspec.field(default_factory=dict)
    """The projects when the fault was installed; only `StalePage` needs them."""
    serials: SerialsDocument = msgspec.field(default_factory=SerialsDocument)
    """The serials when the fault was installed; only `StalePage` needs them."""
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))
    number: int = 0
    """The number in its repository, which no later fault of the repository has."""
    fired: int = 0
    _matched: int = 0

    @property
    def kind(self) -> str:
        """The kind of failure, such as `status`."""
        return str(self.specification.__struct_config__.tag)

    @property
    def for_journal(self) -> FiredFault:
        """The fault as the journal lists it."""
        return FiredFault(self.id, self.number, self.kind)

    def as_json(self) -> dict[str, Any]:
        """Return the fault as the admin API returns it."""
        return {
            **msgspec.to_builtins(self.specification),
            "id": self.id,
            "number": self.number,
            "struck": self.fired,
        }

    def fire(self, facts: RequestFacts) -> bool:
        """Return whether the fault fires for this request, and count it."""
        fault = self.specification
        if fault.times is not None and self.fired >= fault.times:
            return False
        if not _matches(fault, facts):
            return False
        self._matched += 1
        if self._matched % fault.every:
            return False
        self.fired += 1
        return True

    def undo(self) -> None:
        """Subtract the last firing, because the fault had nothing to change in the response."""
        self.fired -= 1


class Faults:
    """The faults of one repository, oldest first."""

    def __init__(self) -> None:
        self._installed: dict[str, InstalledFault] = {}
        self._last_number = 0

    def add(self, fault: InstalledFault) -> None:
        """Add a fault, which takes effect from the next request on.

        Raises:
            ConflictError: there are too many faults already.
        """
        if len(self._installed) >= MAX_FAULTS:
            raise ConflictError(
                f"The repository has {MAX_FAULTS} faults, which is the limit: delete some first."
            )
        self._last_number += 1
        fault.number = self._last_number
        self._installed[fault.id] = fault

    def all(self) -> list[InstalledFault]:
        """Return every fault, oldest first."""
        return list(self._installed.values())

    def delete(self, fault_id: str) -> InstalledFault:
        """Delete a fault and return it.

        Raises:
            NotFoundError: there is no fault with this id.
        """
        try:
            return self._installed.pop(fault_id)
        except KeyError:
            raise NotFoundError(f"The fault {fault_id} was not found.") from None

    def clear(self) -> None:
        """Delete every fault."""
        self._installed.clear()

    def fire(
        self, facts: RequestFacts, *, project_faults_only: bool = False
    ) -> list[InstalledFault]:
        """Return the faults that fire for a request.

        These are all faults that match and combine, and the oldest fault that matches and does not
        combine.

        `project_faults_only` skips faults without a project. It is for uploads: their project is
        known only after their form is read. If no fault fired before, they are matched again then.
        """
        firing: list[InstalledFault] = []
        for fault in self._installed.values():
            if project_faults_only and fault.specification.project is None:
                continue
            combines = fault.specification.combines
            if not combines and any(not other.specification.combines for other in firing):
                continue
            if fault.fire(facts):
                firing.append(fault)
        return firing


def parse_fault(body: bytes) -> FaultSpecification:
    """Return the fault that a request to the admin API describes.

    Raises:
        InvalidError: its kind is unknown, or a detail is not valid.
    """
    try:
        kind = msgspec.json.decode(body, type=_KindOnly).kind
        if kind not in KINDS:
            raise InvalidError(
                f"Unknown kind of fault {kind!r}; the kinds are: {', '.join(KINDS)}."
            )
        fault: FaultSpecification = msgspec.json.decode(body, type=FaultSpecification)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"The fault is not valid: {error}.") from error
    return fault


def _matches(fault: FaultSpecification, facts: RequestFacts) -> bool:
    conditions: Iterable[tuple[str | None, str | None]] = (
        (fault.method and fault.method.upper(), facts.method),
        (fault.user, facts.user),
        (fault.project and canonicalize_name(fault.project), facts.project),
    )
    paths = _compiled(fault.path)
    return (
        facts.kind in fault.request_kinds
        and all(wanted is None or wanted == actual for wanted, actual in conditions)
        # A pattern may begin with a slash or not.
        and (paths.match(facts.path) or paths.match(facts.path[1:])) is not None
    )


@lru_cache(maxsize=100 * MAX_FAULTS)
def _compiled(pattern: str) -> re.Pattern[str]:
    # The cache of fnmatch is small, and some patterns, such as "[[[[", take long to compile.
    return re.compile(translate(pattern))
