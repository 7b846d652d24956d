"""No dependency may be a release with a known fault."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

PROJECT = Path(__file__).parents[2]
FIRST_GOOD = tomllib.loads(Path(__file__).with_name("known_faults.toml").read_text("utf-8"))


def requirements(project: dict[str, Any]) -> list[Requirement]:
    """Return every requirement of a `pyproject.toml`: of users, developers and the build."""
    lists = [
        project["build-system"]["requires"],
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    # A group may include another group, which is not a requirement.
    return [Requirement(text) for texts in lists for text in texts if isinstance(text, str)]


def admitted_with_faults(project: dict[str, Any]) -> list[str]:
    """Return the requirements that admit a release with a known fault."""
    found = []
    for requirement in requirements(project):
        known = FIRST_GOOD.get(canonicalize_name(requirement.name))
        bounds = [Version(each.version) for each in requirement.specifier if each.operator == ">="]
        if known and (not bounds or max(bounds) < Version(known["first"])):
            found.append(f"{requirement}: use {known['first']}: {', '.join(known['advisories'])}")
    return found


def test_no_lower_bound_admits_a_release_with_a_known_fault() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    assert admitted_with_faults(project) == []
    assert set(FIRST_GOOD) <= {canonicalize_name(each.name) for each in requirements(project)}


@pytest.mark.parametrize("text", ["h11", "h11>=0.14", "h11>=0.14,<1", "H11 == 0.14"])
@pytest.mark.parametrize("place", ["build", "dependency", "extra", "group"])
def test_a_lower_bound_that_admits_a_faulty_release_is_found_in_every_table(
    text: str, place: str
) -> None:
    def at(name: str) -> list[str]:
        return [text] if name == place else []

    project = {
        "build-system": {"requires": at("build")},
        "project": {
            "dependencies": at("dependency"),
            "optional-dependencies": {"extra": at("extra")},
        },
        "dependency-groups": {"group": [*at("group"), {"include-group": "other"}]},
    }
    (found,) = admitted_with_faults(project)
    assert "CVE-2025-43859" in found


def test_the_documentation_says_what_each_dependency_and_extra_is_for() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (PROJECT / "docs/reference/dependencies.md").read_text("utf-8")
    packages, extras = page.split("## Extras")
    row = re.compile(r"^\| `([\w-]+)` \|", re.MULTILINE)
    names = sorted(Requirement(text).name for text in project["dependencies"])
    assert sorted(row.findall(packages)) == names
    assert set(row.findall(extras)) == set(project["optional-dependencies"])
