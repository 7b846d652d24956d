"""Reads files with dependency graphs: TOML or JSON, which gzip may have compressed."""

from __future__ import annotations

import gzip
import json
import tomllib
import zlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

import msgspec

from pytest_cloudrepo.errors import ScenarioError

Section = TypeVar("Section")

_GZIP = ".gz"
_LOADERS = {".toml": tomllib.loads, ".json": json.loads}


def read(path: Path) -> object:
    """Return the document in a file.

    Raises:
        ScenarioError: the file cannot be read or is invalid.
    """
    suffix = path.with_suffix("").suffix if path.suffix == _GZIP else path.suffix
    if suffix not in _LOADERS:
        raise ScenarioError(
            f"the file name must end with {' or '.join(_LOADERS)}, optionally followed by {_GZIP}"
        )
    try:
        content = path.read_bytes()
        if path.suffix == _GZIP:
            content = gzip.decompress(content)
        return _LOADERS[suffix](content.decode())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ScenarioError(f"the file is not valid gzip: {error}") from None
    except OSError as error:
        raise ScenarioError(f"the file cannot be read: {error.strerror}") from None
    except ValueError as error:  # invalid TOML, JSON or UTF-8
        raise ScenarioError(str(error)) from None


def section(kind: type[Section], document: object, where: str) -> Section:
    """Convert a section of a document to a dataclass, whose fields are the only valid keys.

    Args:
        kind: the dataclass.
        document: the section.
        where: the name of the section; empty for the whole document.

    Raises:
        ScenarioError: the section is invalid.
    """
    place = f"{where}: " if where else ""
    if not isinstance(document, Mapping):
        raise ScenarioError(f"{place}expected a table or object, not {document!r}")
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type] # all of them are dataclasses
    unknown = [key for key in document if key not in known]
    if unknown:
        raise ScenarioError(
            f"{place}unknown key {', '.join(map(repr, unknown))}; "
            f"the keys are {', '.join(sorted(known))}"
        )
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{place}{error}") from None
