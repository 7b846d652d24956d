"""Failures that a test asks a repository to produce: which there are, and when each strikes."""

import re
import secrets
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Any, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta
from packaging.utils import canonicalize_name

from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.models import ProjectDocument

RequestKind = Literal["root", "page", "file", "metadata", "upload"]

_EVERYTHING: frozenset[RequestKind] = frozenset({"root", "page", "file", "metadata", "upload"})
_READS: frozenset[RequestKind] = frozenset({"root", "page", "file", "metadata"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)

Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
StatusCode = Annotated[int, Meta(ge=200, le=599)]


class Fault(
    msgspec.Struct, tag_field="kind", forbid_unknown_fields=True, kw_only=True, frozen=True
):
    """What all kinds have: which requests a fault strikes, how often, and every how many."""

    aims: ClassVar[frozenset[RequestKind]] = _EVERYTHING
    combines: ClassVar[bool] = False

    times: Positive | None = None
    every: Positive = 1
    method: str | None = None
    path: str = "*"
    project: str | None = None
    user: str | None = None


class Status(Fault, tag="status", frozen=True, kw_only=True):
    """Another answer than the handler's."""

    status: StatusCode
    reason: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.headers.items():
            if _HEADER_NAME.fullmatch(name) is None or not value.isprintable():
                raise ValueError(f"{name!r} cannot be sent as a header")


class Latency(Fault, tag="latency", frozen=True, kw_only=True):
    """The same answer, later."""

    combines: ClassVar[bool] = True

    seconds: Seconds


class Drip(Fault, tag="drip", frozen=True, kw_only=True):
    """The same answer, slowly."""

    aims: ClassVar[frozenset[RequestKind]] = _READS
    combines: ClassVar[bool] = True

    bytes_per_second: Positive


class Reset(Fault, tag="reset", frozen=True, kw_only=True):
    """A connection reset before, during or after the body: of the upload, or else of the answer."""

    when: Literal["before", "during", "after"] = "before"


class Truncate(Fault, tag="truncate", frozen=True, kw_only=True):
    """An answer that ends after `keep` bytes though its Content-Length is that of all."""

    aims: ClassVar[frozenset[RequestKind]] = _READS

    keep: Annotated[int, Meta(ge=0)] = 0


class Corrupt(Fault, tag="corrupt", frozen=True, kw_only=True):
    """A file with one byte that is another."""

    aims: ClassVar[frozenset[RequestKind]] = frozenset({"file", "metadata"})


class WrongHash(Fault, tag="wrong-hash", frozen=True, kw_only=True):
    """A page that tells other digests than the files have."""

    aims: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class WrongMetadataHash(Fault, tag="wrong-metadata-hash", frozen=True, kw_only=True):
    """A page that tells other digests than the core metadata files have."""

    aims: ClassVar[frozenset[RequestKind]] = frozenset({"page"})


class MissingMetadata(Fault, tag="missing-metadata", frozen=True, kw_only=True):
    """A core metadata file that is not there though the page tells of it."""

    aims: ClassVar[frozenset[RequestKind]] = frozenset({"metadata"})


class StalePage(Fault, tag="stale-page", frozen=True, kw_only=True):
    """Pages as they were when the fault was made (eventual consistency)."""

    aims: ClassVar[frozenset[RequestKind]] = frozenset({"root", "page"})


class StoredThenError(Fault, tag="stored-then-error", frozen=True, kw_only=True):
    """An upload that is stored though the client is told of an error."""

    aims: ClassVar[frozenset[RequestKind]] = frozenset({"upload"})

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


KINDS = tuple(str(one.__struct_config__.tag) for one in get_args(FaultSpecification))


class _Kind(msgspec.Struct):
    kind: str


class RequestFacts(msgspec.Struct, frozen=True):
    """What is known of a request when faults are looked for; `path` is below the repository."""

    method: str
    path: str
    aim: RequestKind
    project: str | None
    user: str | None


class InstalledFault(msgspec.Struct, eq=False):
    """A fault of a repository, and how often it struck."""

    specification: FaultSpecification
    snapshot: dict[str, ProjectDocument] = msgspec.field(default_factory=dict)
    id: str = msgspec.field(default_factory=lambda: secrets.token_hex(8))
    struck: int = 0
    _matched: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fault as the admin API gives it."""
        return {**msgspec.to_builtins(self.specification), "id": self.id, "struck": self.struck}

    def strikes(self, facts: RequestFacts) -> bool:
        """Whether it strikes this request, which counts."""
        fault = self.specification
        if (fault.times is not None and self.struck >= fault.times) or not _matches(fault, facts):
            return False
        self._matched += 1
        if self._matched % fault.every:
            return False
        self.struck += 1
        return True

    def missed(self) -> None:
        """Take a strike back: there was nothing to spoil."""
        self.struck -= 1


class Faults:
    """The faults of one repository, oldest first."""

    def __init__(self) -> None:
        self._installed: dict[str, InstalledFault] = {}

    def add(self, fault: InstalledFault) -> None:
        """Let it strike from now on."""
        self._installed[fault.id] = fault

    def all(self) -> list[InstalledFault]:
        """Every fault, oldest first."""
        return list(self._installed.values())

    def remove(self, fault_id: str) -> InstalledFault:
        """Let it strike no more.

        Raises:
            NotFoundError: there is none of that id.
        """
        try:
            return self._installed.pop(fault_id)
        except KeyError:
            raise NotFoundError(f"There is no fault {fault_id}.") from None

    def clear(self) -> None:
        """Let none strike any more."""
        self._installed.clear()

    def strike(self, facts: RequestFacts, *, by_project: bool = False) -> list[InstalledFault]:
        """The faults that strike this request: one, and those that combine with it.

        `by_project` looks only at those for one project.
        """
        striking: list[InstalledFault] = []
        for fault in self._installed.values():
            if by_project and fault.specification.project is None:
                continue
            combines = fault.specification.combines
            if not combines and any(not each.specification.combines for each in striking):
                continue
            if fault.strikes(facts):
                striking.append(fault)
        return striking


def parse_fault(body: bytes) -> FaultSpecification:
    """A fault as the admin API takes it.

    Raises:
        InvalidError: there is no such kind, or a detail is wrong.
    """
    try:
        kind = msgspec.json.decode(body, type=_Kind).kind
        if kind not in KINDS:
            known = ", ".join(KINDS)
            raise InvalidError(f"There is no kind of fault {kind!r}; there are: {known}.")
        fault: FaultSpecification = msgspec.json.decode(body, type=FaultSpecification)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidError(f"The fault cannot be used: {error}.") from error
    return fault


def _matches(fault: FaultSpecification, facts: RequestFacts) -> bool:
    expected: Iterable[tuple[str | None, str | None]] = (
        (fault.method and fault.method.upper(), facts.method),
        (fault.user, facts.user),
        (fault.project and canonicalize_name(fault.project), facts.project),
    )
    return (
        facts.aim in fault.aims
        and all(wanted is None or wanted == found for wanted, found in expected)
        and (fnmatchcase(facts.path, fault.path) or fnmatchcase(facts.path[1:], fault.path))
    )
