"""Faults: failures that a test makes a repository produce.

A fault matches some requests, by their kind, method, path, project and user. It fires for each of
them or for every n-th, and at most `times` times.
"""

import re
import secrets
from collections.abc import Iterable
from fnmatch import translate
from functools import lru_cache
from inspect import cleandoc
from typing import Any

import msgspec
from packaging.utils import canonicalize_name

from cloudrepo_server.changes import note_change
from cloudrepo_server.errors import ConflictError, InvalidError, NotFoundError
from cloudrepo_server.limits import MAX_FAULTS
from cloudrepo_server.models import ProjectDocument, SerialsDocument
from cloudrepo_server.testkit.fault_kinds import KINDS, FaultSpecification, RequestKind


class _KindOnly(msgspec.Struct, frozen=True):
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
    """The number of the fault in its repository. Numbers are not reused."""
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

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters that differ from their defaults, by name."""
        specification = self.specification
        return {
            field.name: value
            for field in msgspec.structs.fields(specification)
            if (value := getattr(specification, field.name)) not in (field.default, {})
        }

    @property
    def description(self) -> str:
        """What the fault does to a response, without the final full stop."""
        return cleandoc(type(self.specification).__doc__ or "").partition("\n")[0].rstrip(".")

    @property
    def frequency(self) -> str:
        """Which of the matching requests the fault affects, in words."""
        fault = self.specification
        which = (
            "every matching request"
            if fault.every == 1
            else f"one in {fault.every} matching requests"
        )
        return which if fault.times is None else f"{which}, at most {fault.times} of them"

    @property
    def is_used_up(self) -> bool:
        """Whether the fault has fired the maximum number of times."""
        times = self.specification.times
        return times is not None and self.fired >= times

    def fire(self, facts: RequestFacts) -> bool:
        """Return whether the fault fires for this request, and count it."""
        fault = self.specification
        if self.is_used_up or not _matches(fault, facts):
            return False
        self._matched += 1
        if self._matched % fault.every:
            return False
        self.fired += 1
        return True

    def undo(self) -> None:
        """Undo the last firing, because the fault had nothing to change in the response.

        The fault fires again for the next request that it matches.
        """
        self.fired -= 1
        self._matched -= 1


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
        note_change("add-fault", subject=f"#{fault.number} {fault.kind}")

    @property
    def is_empty(self) -> bool:
        """Whether there are no faults."""
        return not self._installed

    def all(self) -> list[InstalledFault]:
        """Return every fault, oldest first."""
        return list(self._installed.values())

    def delete(self, fault_id: str) -> InstalledFault:
        """Delete a fault and return it.

        Raises:
            NotFoundError: there is no fault with this id.
        """
        try:
            deleted = self._installed.pop(fault_id)
        except KeyError:
            raise NotFoundError(f"The fault {fault_id} was not found.") from None
        note_change("remove-fault", subject=f"#{deleted.number} {deleted.kind}")
        return deleted

    def clear(self) -> None:
        """Delete every fault."""
        for fault in self.all():
            note_change("remove-fault", subject=f"#{fault.number} {fault.kind}")
        self._installed.clear()

    def fire(
        self, facts: RequestFacts, *, project_faults_only: bool = False
    ) -> list[InstalledFault]:
        """Return the faults that fire for a request.

        These are all faults that match and combine, and the oldest fault that matches and does not
        combine. If that one has nothing to change in the response, call `fire_next`.

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

    def fire_next(self, facts: RequestFacts, after: InstalledFault) -> InstalledFault | None:
        """Return the oldest fault newer than `after` that matches and does not combine, or None."""
        for fault in self.all():
            newer = fault.number > after.number
            if newer and not fault.specification.combines and fault.fire(facts):
                return fault
        return None


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
