"""The examples of the README and the documentation work as shown."""

import re
from pathlib import Path

import psutil
import pytest

from tests.support.markdown import FENCED, blocks
from tests.support.shown_output import assert_printed

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
PAGES = [README, *sorted((PROJECT / "docs").rglob("*.md"))]
# The blocks of these pages are steps that depend on each other; test_tutorial.py follows them.
STEP_BY_STEP = [PROJECT / "docs" / "tutorial.md"]

PYTHON = {page: blocks(page, "python") for page in PAGES if page not in STEP_BY_STEP}
TEST = re.compile(r"^ *def test_", re.MULTILINE)
# All pages of a folder share one pytest session, because starting a server takes time.
FOLDERS = sorted({page.parent for page, found in PYTHON.items() if found})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_python_blocks_pass_when_a_user_runs_them(
    pytester: pytest.Pytester, folder: Path
) -> None:
    modules = {
        f"test_{page.stem.replace('-', '_')}_{number}": block.text
        for page in PYTHON
        for number, block in enumerate(PYTHON[page], start=1)
        if page.parent == folder
    }
    pytester.makepyfile(**modules)
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error")
    outcomes = result.parseoutcomes()
    assert outcomes.keys() == {"passed"}
    assert outcomes["passed"] >= sum(len(TEST.findall(text)) for text in modules.values())


def test_every_python_block_contains_a_test() -> None:
    all_blocks = [block.text for page in PYTHON for block in PYTHON[page]]
    assert all_blocks
    assert [text for text in all_blocks if not TEST.search(text)] == []


def test_the_first_example_of_the_readme_is_the_first_of_the_examples_folder() -> None:
    examples = (PROJECT / "tests" / "examples" / "test_main_job.py").read_text("utf-8")
    first_comment, _, code = blocks(README, "python")[0].text.partition("\n")
    assert first_comment == "# test_release.py"
    assert len(code.splitlines()) == 4
    assert f"\n\n{code}\n\n" in examples


def test_the_readme_shows_what_its_first_example_prints(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PY_COLORS", "0")
    example, command, output = (
        blocks(README, language)[0].text for language in ("python", "console", "text")
    )
    assert command == "pip install pytest-cloudrepo\n"
    assert blocks(README, "console")[1].text == "pytest -v\n"
    pytester.path.joinpath("test_release.py").write_text(example, "utf-8")
    result = pytester.runpytest_subprocess("-v")
    assert_printed(output, result.stdout.str())


def test_the_page_about_failed_tests_shows_what_cloudrepo_keep_prints(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PY_COLORS", "0")
    # The next session in the folder would remove the temporary files of the server.
    monkeypatch.setenv("TMPDIR", str(pytester.path))
    page = PROJECT / "docs" / "how-to" / "look-around.md"
    pytester.makepyfile(test_release="def test_repeated(cloudrepo): assert 0")
    result = pytester.runpytest_subprocess("--cloudrepo-keep")
    (shown,) = [block.text for block in blocks(page, "text") if "keeps running" in block.text]
    try:
        assert_printed(shown, result.stdout.str())
    finally:
        (stop,) = re.findall(r"^to stop it: .*?(\d+)", result.stdout.str(), re.MULTILINE)
        psutil.Process(int(stop)).terminate()


def test_the_quick_start_is_the_first_section_and_has_two_commands() -> None:
    before, _, section = README.read_text("utf-8").partition("\n## ")
    assert before.startswith("# pytest-cloudrepo\n")
    assert section.startswith("Quick start\n")
    _, commands = FENCED.findall(section)[0]
    examples, tests = commands.splitlines()
    assert examples == "python -m pip install -e . && python -m pytest tests/examples"
    assert tests == 'python -m pip install -e ".[test]" && python -m pytest -n 2'


def test_links_between_pages_and_their_headings_exist() -> None:
    for page in [*PAGES, PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md"]:
        text = FENCED.sub("", page.read_text("utf-8"))
        links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text)
        for target, anchor in links:
            linked = page.parent / target if target else page
            assert linked.exists(), f"{page.name}: {target}"
            if anchor:
                assert anchor in _anchors(linked), f"{page.name}: {target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
