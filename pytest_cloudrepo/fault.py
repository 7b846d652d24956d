"""Faults: failures that a test makes a repository produce."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self


class Fault:
    """A fault of a repository. As a context manager, it removes itself at the end of the block."""

    def __init__(self, kind: str, fault_id: str, call: Callable[..., Any]) -> None:
        self.kind = kind
        """The kind of fault, such as `status`."""
        self.id = fault_id
        """The fault's identifier in the admin API."""
        self._call = call
        self._struck = 0
        self._removed = False

    def __repr__(self) -> str:
        return f"<Fault {self.kind} {self.id}>"

    @property
    def struck(self) -> int:
        """The number of requests that the fault has affected."""
        __tracebackhide__ = True
        if not self._removed:
            for fault in self._call("GET", "faults")["faults"]:
                if fault["id"] == self.id:
                    self._struck = fault["struck"]
        return self._struck

    def remove(self) -> None:
        """Remove the fault from the repository. Removing it again has no effect."""
        __tracebackhide__ = True
        if self._removed:
            return
        _ = self.struck  # remembers the number, which the server forgets
        self._removed = True
        try:
            self._call("DELETE", "faults", self.id)
        except ServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()


def fault_to_json(kind: str, **details: object) -> dict[str, Any]:
    """Return a fault as the admin API expects it, without the details that are None."""
    return {"kind": kind} | {name: value for name, value in details.items() if value is not None}
