"""Sorting versions, and finding a version in a sorted list."""

from __future__ import annotations

import pytest
from packaging.version import Version

from cloudrepo_server.specs import versions
from cloudrepo_server.specs.versions import find_version, sort_versions

ASCENDING = ["2004d", "not a version", "0.9", "1.0.dev1", "1.0a1", "1.0", "1.0.post1", "1!0.1"]


def test_versions_are_sorted_and_invalid_versions_come_first() -> None:
    assert sort_versions([*ASCENDING[::2], *ASCENDING[::-2]]) == ASCENDING
    assert sort_versions(reversed(ASCENDING)) == ASCENDING


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("1.0", "1.0"),
        ("v1.0.0", "1.0"),
        ("1.0-alpha.1", "1.0a1"),
        ("1!0.1.0", "1!0.1"),
        ("0.9.0", "0.9"),
        ("not a version", "not a version"),
        ("NOT A VERSION", None),
        ("0.1", None),
        ("1.0.1", None),
        ("2!1", None),
        ("1." + "0" * 5000, None),
        ("", None),
    ],
)
def test_a_version_is_found_in_any_spelling(given: str, found: str | None) -> None:
    assert find_version(ASCENDING, given) == found


def test_a_version_is_found_without_parsing_all_versions_of_a_long_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ascending = [f"1.{number}" for number in range(10_000)]
    parsed: list[str] = []

    def parse(text: str) -> Version:
        parsed.append(text)
        return Version(text)

    monkeypatch.setattr(versions, "Version", parse)
    assert find_version(ascending, "1.7777.0") == "1.7777"
    assert find_version(ascending, "2.0") is None
    assert len(parsed) < 50
