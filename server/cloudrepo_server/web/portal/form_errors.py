"""The errors of a submitted form, each with the field that causes it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus

from cloudrepo_server.errors import (
    CloudRepoServerError,
    ConflictError,
    InvalidError,
    InvalidFieldsError,
    NotFoundError,
)
from cloudrepo_server.web.http.responses import status_of


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with a field; `field` is empty if the error concerns the form as a whole."""

    field: str
    message: str


class FormErrors:
    """All errors of a form, in the order of its fields."""

    def __init__(self) -> None:
        self._errors: list[FieldError] = []
        self._status: int | None = None

    def __len__(self) -> int:
        """Return the number of errors."""
        return len(self._errors)

    def __iter__(self) -> Iterator[FieldError]:
        """Return the errors in turn."""
        return iter(self._errors)

    @property
    def status(self) -> int:
        """The status of the response: that of the first error."""
        return self._status or HTTPStatus.OK

    @property
    def reason(self) -> str | None:
        """The first message, for the request log, or None."""
        return self._errors[0].message if self._errors else None

    def of(self, field: str) -> list[str]:
        """Return the messages of a field."""
        return [each.message for each in self._errors if each.field == field]

    def add(self, field: str, error: CloudRepoServerError) -> None:
        """Add the error of a field. An `InvalidFieldsError` names the fields itself."""
        by_field = error.by_field if isinstance(error, InvalidFieldsError) else {field: str(error)}
        self._errors += (FieldError(name, message) for name, message in by_field.items())
        if self._status is None:
            self._status = status_of(error)

    @contextlib.contextmanager
    def at(self, field: str) -> Iterator[None]:
        """Add an error that is raised in the block to a field, and continue after the block."""
        try:
            yield
        except (InvalidError, ConflictError, NotFoundError) as error:
            self.add(field, error)
