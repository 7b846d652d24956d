"""A failure that a test asked a repository to produce."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self


_NOT_FOUND = 404


class Fault:
    """A fault of a repository; leaving it as a context manager removes it."""

    def __init__(self, kind: str, fault_id: str, call: Callable[..., Any]) -> None:
        self.kind = kind
        """What happens."""
        self.id = fault_id
        """What the admin API calls it."""
        self._call = call
        self._struck = 0
        self._removed = False

    def __repr__(self) -> str:
        return f"<Fault {self.kind} {self.id}>"

    @property
    def struck(self) -> int:
        """How often it struck until now, or until it was removed."""
        __tracebackhide__ = True
        if not self._removed:
            for fault in self._call("GET", "faults")["faults"]:
                if fault["id"] == self.id:
                    self._struck = fault["struck"]
        return self._struck

    def remove(self) -> None:
        """Let it strike no more; to remove it again does nothing."""
        __tracebackhide__ = True
        if self._removed:
            return
        _ = self.struck
        self._removed = True
        try:
            self._call("DELETE", "faults", self.id)
        except ServerError as error:
            if error.status != _NOT_FOUND:
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


def describe(kind: str, **details: object) -> dict[str, Any]:
    """A fault as the admin API takes it; what is None is left out."""
    return {"kind": kind} | {name: value for name, value in details.items() if value is not None}
