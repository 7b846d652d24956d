"""docs/clients.md has the sections of the tests in tests/clients, and a row for each dialect.

Only `tox -e clients` can check the results in its rows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.clients.sections import INSTALLS_FROM_DIALECTS, INTRODUCTIONS, REGISTRIES
from tests.support.clients.table import Row, render_table

PAGE = Path("docs/clients.md")


def sections() -> dict[str, str]:
    """Return the sections of the page by their titles."""
    _, *parts = PAGE.read_text("utf-8").split("\n## ")
    return {title: text for title, _, text in (part.partition("\n\n") for part in parts)}


def test_the_page_has_the_sections_of_the_tests() -> None:
    introductions = {title: text.partition("\n\n")[0] for title, text in sections().items()}
    assert introductions == INTRODUCTIONS, "run `tox -e clients`, which makes the page again"


@pytest.mark.parametrize("section", [INSTALLS_FROM_DIALECTS, REGISTRIES])
def test_the_page_has_a_row_for_each_dialect(section: str) -> None:
    text = sections()[section]
    missing = [name for name in DIALECTS if f" dialect {name} |" not in text]
    assert missing == [], "run `tox -e clients`, which makes the page again"


def row(client: str, python: str, result: str) -> Row:
    """Return a row of the page."""
    return Row(
        section="Installs",
        position=0,
        client=client,
        python=python,
        action="install",
        exit_status=0,
        output="done",
        result=result,
    )


def test_releases_of_a_client_with_the_same_output_and_result_share_a_row() -> None:
    rows = [row("pip 9.0", "2.7", "old"), row("uv 0.1", "3.8", "new")]
    rows += [row("pip 20", "3.6", "new"), row("pip 21", "3.7", "new")]
    assert render_table(rows).splitlines()[2:] == [
        "| pip 9.0 | 2.7 | install | 0 | `done` | old |",
        "| uv 0.1 | 3.8 | install | 0 | `done` | new |",
        "| pip 20, 21 | 3.6, 3.7 | install | 0 | `done` | new |",
    ]
