"""Snapshots of package indexes, which `cloudrepo-server snapshot` makes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_cloudrepo import _graph_files
from pytest_cloudrepo._new_files import NewFile
from pytest_cloudrepo.errors import PackageError, ScenarioError
from pytest_cloudrepo.graph import Graph, publications

_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The releases that a resolution of some requirements may need, recorded from an index."""

    index: str
    """The name or URL of the index."""
    requirements: tuple[str, ...]
    """The requirements from which the search in the index started."""
    exclude_newer: str
    """The time before which the files were uploaded, in ISO 8601."""
    pythons: tuple[str, ...]
    """The versions of Python for which files were recorded."""
    platforms: tuple[str, ...]
    """The platforms for which files were recorded, such as `linux-x86_64`."""
    versions: int
    """How many releases were recorded for each requirement of a project."""
    prereleases: bool
    """Whether pre-releases were recorded like other releases."""
    left_out: tuple[str, ...]
    """What could not be recorded, and why."""
    packages: Graph = field(repr=False)
    """The releases, as a dependency graph."""


@dataclass(frozen=True, slots=True)
class _File:
    snapshot: dict[str, Any]
    packages: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Header:
    index: str
    requirements: tuple[str, ...]
    exclude_newer: str
    pythons: tuple[str, ...]
    platforms: tuple[str, ...]
    versions: int
    format: int = _FORMAT
    prereleases: bool = False
    left_out: tuple[str, ...] = ()


def read_snapshot(path: Path) -> tuple[Snapshot, list[NewFile]]:
    """Return the snapshot in a file, and its distributions.

    Raises:
        ScenarioError: the file cannot be read or is invalid. The message contains its path.
    """
    try:
        file = _graph_files.section(_File, _graph_files.read(path), "")
        _check_format(file.snapshot)
        header = _graph_files.section(_Header, file.snapshot, "snapshot")
        files = publications(file.packages)
    except PackageError as error:
        raise ScenarioError(f"{path}: {error}") from None
    snapshot = Snapshot(
        index=header.index,
        requirements=header.requirements,
        exclude_newer=header.exclude_newer,
        pythons=header.pythons,
        platforms=header.platforms,
        versions=header.versions,
        prereleases=header.prereleases,
        left_out=header.left_out,
        packages=file.packages,
    )
    return snapshot, files


def _check_format(snapshot: Mapping[str, Any]) -> None:
    number = snapshot.get("format", _FORMAT)
    if number != _FORMAT:
        raise ScenarioError(
            f"the snapshot has the format {number!r}, but this version of pytest-cloudrepo reads "
            f"only the format {_FORMAT}"
        )
