"""What the README and the documents show is what happens."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str) -> list[str]:
    return [text for named, text in FENCED.findall(page.read_text("utf-8")) if named == language]


PYTHON = [
    pytest.param(text, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, text in enumerate(blocks(page, "python"), start=1)
]


@pytest.mark.parametrize("block", PYTHON)
def test_a_python_block_passes_as_a_user_would_run_it(
    pytester: pytest.Pytester, block: str
) -> None:
    pytester.makepyfile(test_block=block)
    result = pytester.runpytest_subprocess("--strict-markers", "-W", "error")
    result.assert_outcomes(passed=len(re.findall(r"^def test_", block, re.MULTILINE)))


def test_every_python_block_is_a_test() -> None:
    everything = [block for page in PAGES for block in blocks(page, "python")]
    assert everything
    assert [block for block in everything if "\ndef test_" not in f"\n{block}"] == []


def test_the_example_is_the_main_job() -> None:
    example = (PROJECT / "tests" / "examples" / "test_main_job.py").read_text("utf-8")
    _, _, code = example.partition('"""\n\n')
    assert blocks(PROJECT / "README.md", "python")[0] == code


def test_the_quick_start_comes_first_and_has_two_commands() -> None:
    title, _, heading, _, *_ = (PROJECT / "README.md").read_text("utf-8").splitlines()
    assert (title, heading) == ("# pytest-cloudrepo", "## Quick start")
    main_job, tests = FENCED.findall((PROJECT / "README.md").read_text("utf-8"))[0][1].splitlines()
    assert "tests/examples" in main_job
    assert "pytest" in tests


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8"))
        assert [link for link in links if not (page.parent / link).exists()] == []
