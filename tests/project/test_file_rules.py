"""Rules for this project's files that no linter checks."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PACKAGES = ["pytest_cloudrepo", "server", "benchmarks"]
FOLDERS = [*PACKAGES, "tests", "docs", ".ci"]
KINDS = {".py", ".md", ".toml", ".ini", ".html", ".css", ".js", ".json", ".txt", ""}
REGISTRIES = re.compile(r"pypi\.(org|python\.org)|pythonhosted\.|npmjs\.|debian\.org")
MAX_LINES = 400
MAX_ROOT_MODULES = 8
# Phrases of the idiom that this project was first written in: see "Language" in CONTRIBUTING.md.
IDIOM = re.compile(
    r"\b(at hand|of no use|likewise|in earnest|let nobody|let in|other bytes|(is|are|was|were) told"
    r"|tells (of|what|which|who)|who (asks|takes|sends)|what (was|were) (seen|asked|answered|told)"
    r"|heeds?|stands? (in|beside|there)|anew|foresee|foresight)\b",
    re.IGNORECASE,
)
QUOTES_THE_IDIOM = ("CONTRIBUTING.md", "docs/clients.md", "tests/project/test_file_rules.py")


def files() -> dict[str, str]:
    """Return the text of each of the project's own files, by its path."""
    found = [path for folder in FOLDERS for path in (PROJECT / folder).rglob("*")]
    return {
        path.relative_to(PROJECT).as_posix(): path.read_text("utf-8", "replace")
        for path in [*PROJECT.iterdir(), *found]
        if path.is_file() and path.suffix in KINDS
    }


def test_no_module_of_a_package_is_longer_than_400_lines() -> None:
    modules = {
        name: len(text.splitlines())
        for name, text in files().items()
        if name.endswith(".py") and name.startswith(tuple(PACKAGES))
    }
    assert modules
    assert {name: lines for name, lines in modules.items() if lines > MAX_LINES} == {}


def test_the_root_of_the_server_has_few_modules() -> None:
    root = [path.name for path in (PROJECT / "server" / "cloudrepo_server").glob("*.py")]
    assert root
    assert len(root) <= MAX_ROOT_MODULES, sorted(root)


def test_no_file_uses_the_old_idiom() -> None:
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in files().items()
        if name not in QUOTES_THE_IDIOM
        for number, line in enumerate(text.splitlines(), start=1)
        if IDIOM.search(line)
    ]
    assert found == []


def test_no_file_contains_the_host_name_of_a_registry() -> None:
    assert [name for name, text in files().items() if REGISTRIES.search(text)] == []


def test_the_top_level_conftest_only_loads_plugins() -> None:
    docstring, *statements = ast.parse((PROJECT / "conftest.py").read_text("utf-8")).body
    assert isinstance(docstring, ast.Expr)
    assert [ast.unparse(statement).partition(" = ")[0] for statement in statements] == [
        "pytest_plugins"
    ]


def test_pytest_collects_no_module_of_the_shared_code() -> None:
    support = PROJECT / "tests" / "support"
    assert [*support.rglob("test_*.py"), *support.rglob("*_test.py")] == []


def test_no_test_imports_another_test_or_a_conftest() -> None:
    importing = re.compile(r"^\s*(?:from|import) tests\.(?!support\b)\S*", re.MULTILINE)
    tests = {name: text for name, text in files().items() if re.match(r"tests/.*\.py$", name)}
    assert tests
    assert {name: found for name, text in tests.items() if (found := importing.findall(text))} == {}
