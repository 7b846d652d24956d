"""The tables of the documentation are complete: fixtures, settings, faults, commands, names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

import pytest_cloudrepo
from cloudrepo_server.testkit.fault_kinds import Fault, FaultSpecification
from docs import tables
from pytest_cloudrepo.settings import RepositorySettings
from tests.support.markdown import blocks, rows

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
PLUGIN = PROJECT / "pytest_cloudrepo"
FIXTURES = re.compile(r"^(cloudrepo\w*)(?: \[(\w+) scope\])? -- ", re.MULTILINE)
CODE = re.compile(r"`([\w-]+)[^`]*`")


def listed(page: str, column: int = 0) -> list[str]:
    """Return the code in a column of a page's tables."""
    return [name for row in rows(DOCS / page) for name in CODE.findall(row[column])]


def test_each_fixture_has_a_page_with_its_scope(pytester: pytest.Pytester) -> None:
    output = pytester.runpytest_subprocess("--fixtures", "-q").stdout.str()
    scopes = {name: scope or "function" for name, scope in FIXTURES.findall(output)}
    assert scopes.keys() == {path.stem for path in (DOCS / "fixtures").glob("cloudrepo*.md")}
    overview = rows(DOCS / "fixtures" / "index.md")
    for name, scope in scopes.items():
        page = dict(row for row in rows(DOCS / "fixtures" / f"{name}.md") if len(row) == 2)
        assert page["Scope"] == scope
        assert page.keys() >= {"Type", "Default"}
        assert [row[1] for row in overview if row[0] == f"[`{name}`]({name}.md)"] == [scope]


def test_each_fixtures_page_begins_with_an_example() -> None:
    for page in (DOCS / "fixtures").glob("cloudrepo*.md"):
        assert re.search(rf"\b{page.stem}\b", blocks(page)[0].text), page.name
        assert blocks(page)[0].language == "python"


def test_each_kind_of_fault_is_listed_with_its_parameters() -> None:
    shared = set(Fault.__struct_fields__)
    described = {
        kind.__struct_config__.tag: set(kind.__struct_fields__) - shared
        for kind in get_args(FaultSpecification)
    }
    table = [row for row in rows(DOCS / "reference" / "faults.md") if len(row) == 3]
    documented = {CODE.findall(row[0])[0]: row[1] for row in table if row[0].startswith("`")}
    assert documented.keys() == described.keys() | shared
    for kind, details in described.items():
        assert set(CODE.findall(documented[kind])) >= details, kind


def test_each_setting_ini_key_and_option_is_listed(pytester: pytest.Pytester) -> None:
    names = set(listed("reference/settings.md"))
    assert names >= RepositorySettings.__annotations__.keys()
    output = pytester.runpytest_subprocess("--help").stdout.str()
    registered = set(re.findall(r"^ +(cloudrepo_\w+|--cloudrepo-[\w-]+)", output, re.MULTILINE))
    assert len(registered) >= 5
    assert names >= registered


def test_each_public_name_has_reference_documentation() -> None:
    pages = "".join(page.read_text("utf-8") for page in DOCS.rglob("*.md"))
    described = re.findall(
        r"\.\. auto\w+:: pytest_cloudrepo\.(?:graph\.)?(\w+)$", pages, re.MULTILINE
    )
    assert sorted(described) == pytest_cloudrepo.__all__


@pytest.mark.parametrize("module", sorted(PLUGIN.rglob("*.py")), ids=lambda path: path.stem)
def test_the_first_line_about_an_attribute_has_no_colon(module: Path) -> None:
    """Sphinx would show the words before the colon as the type of the attribute."""
    classes = [
        node
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    lines = [text.splitlines()[0] for each in classes for text in attribute_texts(each)]
    assert [line for line in lines if re.search(r":\s", re.sub("`[^`]*`", "", line))] == []


def attribute_texts(class_: ast.ClassDef) -> Iterator[str]:
    """Yield the texts below the attributes of a class, and the docstrings of its properties."""
    for node in class_.body[1:]:
        match node:
            case ast.Expr(value=ast.Constant(value=str() as text)):
                yield text
            case ast.FunctionDef(decorator_list=[ast.Name(id="property"), *_]):
                yield ast.get_docstring(node) or "-"


def test_each_test_from_other_projects_is_shown() -> None:
    shown = [
        (re.findall(r"cases/(\w+)\.py", block.language)[0], block.text.split()[1])
        for block in blocks(DOCS / "cases.md")
    ]
    cases = [
        (path.stem, function.name)
        for path in (PROJECT / "tests" / "cases").glob("test_*.py")
        if path.stem != "test_conventions"
        for function in ast.parse(path.read_text("utf-8")).body
        if isinstance(function, ast.FunctionDef)
    ]
    assert sorted(shown) == sorted(cases)


def test_each_command_of_the_server_has_a_section() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "cloudrepo_server", "--help"],
        check=True,
        capture_output=True,
        text=True,
    )
    commands = re.findall(r"^    (\w+)(?:  |$)", completed.stdout, re.MULTILINE)
    page = (DOCS / "reference" / "command-line.md").read_text("utf-8")
    assert {"serve", "run"} <= set(commands)
    assert sorted(re.findall(r"^   :path: (\w+)$", page, re.MULTILINE)) == sorted(commands)
    titles = re.findall(r"^## ([a-z]+(?:(?:, | and )[a-z]+)*)$", page, re.MULTILINE)
    titled = [name for title in titles for name in re.split(", | and ", title)]
    assert sorted(titled) == sorted(commands)


def test_the_tables_of_pypis_rules_are_those_of_the_code() -> None:
    page = tables.PYPI_RULES_PAGE.read_text("utf-8")
    written = page.partition(tables.BEGIN)[2].partition(tables.END)[0].strip()
    assert written == tables.pypi_rules(), "run: python -m docs.tables"
