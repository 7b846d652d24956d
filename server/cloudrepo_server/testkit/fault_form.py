"""Parses the fault that a form describes, and finds the errors of all its fields at once."""

from collections.abc import Mapping
from typing import Any, get_args

import msgspec
from msgspec import inspect

from cloudrepo_server.errors import InvalidFieldsError
from cloudrepo_server.testkit.fault_kinds import KINDS, Fault, FaultSpecification

_STRUCTS: Mapping[str, type[Fault]] = dict(zip(KINDS, get_args(FaultSpecification), strict=True))
_MAX_SHOWN = 64

Fields = Mapping[str, str | dict[str, str]]


def parse_fault_fields(fields: Fields) -> FaultSpecification:
    """Return the fault that the fields of a form describe; numbers are given as text.

    Raises:
        InvalidFieldsError: the kind is unknown, or fields are not valid. It has all messages.
    """
    kind = str(fields.get("kind", ""))
    if kind not in _STRUCTS:
        message = f"Unknown kind of fault {kind[:_MAX_SHOWN]!r}; the kinds are: {', '.join(KINDS)}."
        raise InvalidFieldsError({"kind": message})
    struct = _STRUCTS[kind]
    errors = _errors(kind, struct, fields)
    if errors:
        raise InvalidFieldsError(errors)
    try:
        fault: FaultSpecification = msgspec.convert(
            dict(fields), type=FaultSpecification, strict=False
        )
    except msgspec.ValidationError as error:
        # The kind itself checks this parameter further.
        raise InvalidFieldsError({struct.checked: f"The fault is not valid: {error}."}) from error
    return fault


def _errors(kind: str, struct: type[Fault], fields: Fields) -> dict[str, str]:
    errors = {}
    known = {field.name: field for field in msgspec.structs.fields(struct)}
    for name, value in fields.items():
        if name == "kind":
            continue
        if name not in known:
            errors[name] = f"A fault of the kind {kind} has no {_label(name)}: clear this field."
            continue
        try:
            msgspec.convert(value, type=known[name].type, strict=False)
        except msgspec.ValidationError:
            expected = _describe(inspect.type_info(known[name].type))
            errors[name] = f"Invalid {_label(name)} {_shown(value)}: enter {expected}."
    for name, field in known.items():
        if field.required and name not in fields:
            errors[name] = f"A fault of the kind {kind} needs the field {_label(name)}."
    return errors


def _label(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "...")


def _describe(kind: inspect.Type) -> str:
    """Return what a field accepts, such as "a whole number from 200 to 599"."""
    if isinstance(kind, inspect.UnionType):
        return next(
            _describe(each) for each in kind.types if not isinstance(each, inspect.NoneType)
        )
    if isinstance(kind, inspect.LiteralType):
        return "one of: " + ", ".join(map(str, kind.values))
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        number = "a whole number" if isinstance(kind, inspect.IntType) else "a number"
        return number + _range(kind.ge, kind.le)
    if isinstance(kind, inspect.DictType):
        return f"at most {kind.max_length} headers of ordinary length"
    length: Any = getattr(kind, "max_length", None)
    return f"a text of at most {length} characters"


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return ""
    return f" of {least:g} or more" if most is None else f" from {least:g} to {most:g}"
