"""Scenarios in packse's format: packages, what is asked of them, and what a resolver is to find."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from pytest_cloudrepo._distributions import validation
from pytest_cloudrepo.errors import PackageError, ScenarioError
from pytest_cloudrepo.graph import Graph, ReleaseDetails, publications

# packse's defaults.
PYTHON: Final = "3.12"
REQUIRES_PYTHON: Final = ">=3.12"

_Section = TypeVar("_Section")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a resolver is to find."""

    satisfiable: bool
    """Whether there is a solution."""
    packages: dict[str, str] = field(default_factory=dict)
    """The versions of the solution, by project."""
    explanation: str | None = None
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class ScenarioEnvironment:
    """The Pythons that are to be there."""

    python: str = PYTHON
    additional_python: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResolverOptions:
    """How a resolver is to be asked."""

    python: str | None = None
    prereleases: bool = False
    no_build: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    universal: bool = False
    python_platform: str | None = None
    required_environments: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario, whose packages are in a repository under the names that its file gives them."""

    name: str
    """What its file calls it."""
    root: tuple[str, ...]
    """The requirements that are asked for."""
    expected: Expected
    """What a resolver is to find."""
    environment: ScenarioEnvironment
    """The Pythons that are to be there."""
    resolver_options: ResolverOptions
    """How a resolver is to be asked."""
    description: str | None
    """What it shows."""
    requires_python: str | None
    """The Pythons that those who ask are for."""
    packages: Graph = field(repr=False)


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    root: dict[str, Any]
    expected: dict[str, Any]
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    resolver_options: dict[str, Any] = field(default_factory=dict)
    description: str | None = None
    # Which of its own templates packse is to build with; here nothing is built.
    template: str = "package"


@dataclass(frozen=True, slots=True)
class _Root:
    requires: tuple[str, ...] = ()
    requires_python: str | None = REQUIRES_PYTHON


@dataclass(frozen=True, slots=True)
class _Package:
    versions: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Version:
    requires: tuple[str, ...] = ()
    requires_python: str | None = REQUIRES_PYTHON
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sdist: bool = True
    wheel: bool = True
    wheel_tags: tuple[str, ...] = ()
    yanked: bool = False
    description: str = ""


def read_scenario(path: Path, *, name: str | None = None) -> Scenario:
    """Give a file's scenario.

    Raises:
        ScenarioError: The file cannot be read, or does not hold such a scenario; the message
            names the file and the place in it.
    """
    try:
        scenario = _scenario(_chosen(_read(path), name))
        # What is wrong with a release is found when its files are written.
        publications(scenario.packages)
    except PackageError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return scenario


def _read(path: Path) -> object:
    loaders = {".toml": tomllib.loads, ".json": json.loads}
    if path.suffix not in loaders:
        raise ScenarioError(f"a scenario's file ends with {' or '.join(loaders)}")
    try:
        return loaders[path.suffix](path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"cannot be read: {error.strerror}") from None
    except ValueError as error:  # neither TOML nor JSON, or not even text
        raise ScenarioError(str(error)) from None


def _chosen(document: object, name: str | None) -> object:
    """Give the document's scenario; a JSON file may hold a list of them."""
    documents = document if isinstance(document, list) else [document]
    if name is None and len(documents) == 1:
        return documents[0]
    named = {one.get("name"): one for one in documents if isinstance(one, dict)}
    if name in named:
        return named[name]
    problem = f"has no scenario {name!r}" if name else "has not one scenario: say which"
    raise ScenarioError(f"{problem}; there are {', '.join(map(str, named)) or 'none'}")


def _scenario(document: object) -> Scenario:
    file = _section(_File, document, "")
    root = _section(_Root, file.root, "root")
    for text in root.requires:
        validation.requirement(text)
    return Scenario(
        name=file.name,
        root=root.requires,
        expected=_section(Expected, file.expected, "expected"),
        environment=_section(ScenarioEnvironment, file.environment, "environment"),
        resolver_options=_section(ResolverOptions, file.resolver_options, "resolver_options"),
        description=file.description,
        requires_python=root.requires_python,
        packages={
            project: {
                version: _details(_section(_Version, described, f"packages.{project}.{version}"))
                for version, described in _section(
                    _Package, package, f"packages.{project}"
                ).versions.items()
            }
            for project, package in file.packages.items()
        },
    )


def _details(version: _Version) -> ReleaseDetails:
    details = ReleaseDetails(
        requires=version.requires,
        requires_python=version.requires_python,
        extras=version.extras,
        sdist=version.sdist,
        wheel=version.wheel,
        yanked=version.yanked,
    )
    if version.wheel and version.wheel_tags:
        details["tags"] = version.wheel_tags
    if version.description:
        details["summary"] = " ".join(version.description.split())
    return details


def _section(kind: type[_Section], document: object, where: str) -> _Section:
    """Give a part of the document, which has these keys and no others."""
    place = f"{where}: " if where else ""
    if not isinstance(document, Mapping):
        raise ScenarioError(f"{place}a table is expected, not {document!r}")
    known = {one.name for one in fields(kind)}  # type: ignore[arg-type] # all of them are dataclasses
    unknown = [key for key in document if key not in known]
    if unknown:
        raise ScenarioError(
            f"{place}unknown key {', '.join(map(repr, unknown))}; "
            f"there are {', '.join(sorted(known))}"
        )
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise ScenarioError(f"{place}{error}") from None
