"""docs/clients.md has the sections of the tests in tests/clients, and a row for each dialect.

Only `tox -e clients` can check the results in its rows.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.clients.sections import INSTALLS_FROM_DIALECTS, INTRODUCTIONS, REGISTRIES

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
