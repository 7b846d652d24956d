"""What the README and the documents show is what happens."""

import re
from pathlib import Path

import pytest

from tests.support.markdown import FENCED, blocks

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
# Whose blocks are one story, which test_tutorial.py follows.
STORIES = [PROJECT / "docs" / "tutorial.md"]

PYTHON = {page: blocks(page, "python") for page in PAGES if page not in STORIES}
TEST = re.compile(r"^ *def test_", re.MULTILINE)
# One run for all pages of a folder, since each run makes a server and an environment first.
FOLDERS = sorted({page.parent for page, found in PYTHON.items() if found})


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_python_blocks_pass_as_a_user_would_run_them(
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


def test_every_python_block_is_a_test() -> None:
    everything = [block.text for page in PYTHON for block in PYTHON[page]]
    assert everything
    assert [text for text in everything if not TEST.search(text)] == []


def test_the_example_is_the_main_job() -> None:
    example = (PROJECT / "tests" / "examples" / "test_main_job.py").read_text("utf-8")
    _, _, code = example.partition('"""\n\n')
    assert blocks(PROJECT / "README.md", "python")[0].text == code


def test_the_quick_start_comes_first_and_has_two_commands() -> None:
    title, _, heading, _, *_ = (PROJECT / "README.md").read_text("utf-8").splitlines()
    assert (title, heading) == ("# pytest-cloudrepo", "## Quick start")
    main_job, tests = blocks(PROJECT / "README.md")[0].text.splitlines()
    assert "tests/examples" in main_job
    assert "pytest" in tests


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", FENCED.sub("", page.read_text("utf-8")))
        assert [link for link in links if not (page.parent / link).exists()] == []
