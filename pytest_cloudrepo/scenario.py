"""Scenarios for resolvers, in packse's format: packages, a request, and the expected result."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pytest_cloudrepo._distributions import validation
from pytest_cloudrepo._graph_files import read, section
from pytest_cloudrepo.errors import PackageError, ScenarioError
from pytest_cloudrepo.graph import Graph, ReleaseDetails, publications

# The defaults of packse.
_PYTHON: Final = "3.12"
_REQUIRES_PYTHON: Final = ">=3.12"


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected result of the resolver."""

    satisfiable: bool
    """Whether a solution exists."""
    packages: dict[str, str] = field(default_factory=dict)
    """The versions in the solution, by project."""
    explanation: str | None = None
    """Why no solution exists."""


@dataclass(frozen=True, slots=True)
class ScenarioEnvironment:
    """The Python versions for the resolver."""

    python: str = _PYTHON
    """The version of the installed Python."""
    additional_python: tuple[str, ...] = ()
    """Further installed versions."""


@dataclass(frozen=True, slots=True)
class ResolverOptions:
    """Options for the resolver."""

    python: str | None = None
    """The Python version to resolve for; by default the installed one."""
    prereleases: bool = False
    """Whether pre-releases are allowed."""
    no_build: tuple[str, ...] = ()
    """The projects whose sdists must not be built."""
    no_binary: tuple[str, ...] = ()
    """The projects whose wheels must not be used."""
    universal: bool = False
    """Whether to resolve for all platforms and Python versions."""
    python_platform: str | None = None
    """The platform to resolve for; by default the current one."""
    required_environments: tuple[str, ...] | None = None
    """The environments, as markers, that the solution must support."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario. `load_scenario` publishes its packages under the names in the file."""

    name: str
    """The scenario's name."""
    root: tuple[str, ...]
    """The requirements to resolve."""
    expected: Expected
    """The expected result of the resolver."""
    environment: ScenarioEnvironment
    """The Python versions for the resolver."""
    resolver_options: ResolverOptions
    """Options for the resolver."""
    description: str | None
    """A description of the scenario."""
    requires_python: str | None
    """The Python versions that the resolved project supports."""
    packages: Graph = field(repr=False)
    """The packages, as a dependency graph."""


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    root: dict[str, Any]
    expected: dict[str, Any]
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    resolver_options: dict[str, Any] = field(default_factory=dict)
    description: str | None = None
    # The name of packse's template for builds, which is ignored here.
    template: str = "package"


@dataclass(frozen=True, slots=True)
class _Root:
    requires: tuple[str, ...] = ()
    requires_python: str | None = _REQUIRES_PYTHON


@dataclass(frozen=True, slots=True)
class _Package:
    versions: dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Version:
    requires: tuple[str, ...] = ()
    requires_python: str | None = _REQUIRES_PYTHON
    extras: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sdist: bool = True
    wheel: bool = True
    wheel_tags: tuple[str, ...] = ()
    yanked: bool = False
    description: str = ""


def read_scenario(path: Path, *, name: str | None = None) -> Scenario:
    """Return the scenario in a file.

    Raises:
        ScenarioError: the file cannot be read or is invalid, or has no such scenario. The message
            has the path of the file and the position in it.
    """
    try:
        scenario = _scenario(_chosen(read(path), name))
        # Writing the distributions finds invalid releases.
        publications(scenario.packages)
    except PackageError as error:
        raise ScenarioError(f"{path}: {error}") from None
    return scenario


def _chosen(document: object, name: str | None) -> object:
    """Return one scenario of a document. A JSON file may contain a list of scenarios."""
    documents = document if isinstance(document, list) else [document]
    if name is None and len(documents) == 1:
        return documents[0]
    named = {each.get("name"): each for each in documents if isinstance(each, dict)}
    if name in named:
        return named[name]
    problem = (
        f"scenario {name!r} not found"
        if name
        else f"the file contains {len(documents)} scenarios: choose one by its name"
    )
    raise ScenarioError(f"{problem}; the names are {', '.join(map(str, named)) or '(none)'}")


def _scenario(document: object) -> Scenario:
    file = section(_File, document, "")
    root = section(_Root, file.root, "root")
    for text in root.requires:
        validation.requirement(text)
    return Scenario(
        name=file.name,
        root=root.requires,
        expected=section(Expected, file.expected, "expected"),
        environment=section(ScenarioEnvironment, file.environment, "environment"),
        resolver_options=section(ResolverOptions, file.resolver_options, "resolver_options"),
        description=file.description,
        requires_python=root.requires_python,
        packages={
            project: {
                version: _details(section(_Version, described, f"packages.{project}.{version}"))
                for version, described in section(
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
