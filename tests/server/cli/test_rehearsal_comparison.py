"""The comparison of the metadata that an index shows with those in a file."""

from __future__ import annotations

import pytest

from cloudrepo_server.cli.rehearsal.comparison import Fields, find_differences, form_fields
from cloudrepo_server.cli.rehearsal.report import Difference

FILE: Fields = {
    "name": ["Demo.Project"],
    "version": ["1.0"],
    "summary": ["A demo"],
    "requires_python": [">=3.9,<4"],
    "requires_dist": ["a>=1,<2", 'b[x]; extra == "y"'],
    "provides_extra": ["some-extra"],
    "classifiers": ["One", "Two"],
    "keywords": ["a,b"],
    "project_urls": ["Home,https://a.example"],
    "home_page": ["https://h.example"],
}


def differences(shown: Fields, archive: Fields) -> list[str]:
    return [each.field for each in find_differences(shown, archive, "upload form")]


@pytest.mark.parametrize(
    "other",
    [
        {"name": ["demo-project"], "version": ["1.0.0"]},
        {"summary": ["A  demo\n"], "requires_python": ["<4, >= 3.9"]},
        {"requires_dist": ["b [x] ; extra=='y'", "a<2,>=1"], "classifiers": ["Two", "One"]},
        {"provides_extra": ["Some_Extra"], "keywords": ["b a"]},
        {"project_urls": ["Homepage, https://h.example", "Home, https://a.example"]},
        {"license": ["UNKNOWN"], "author": [""]},
    ],
)
def test_another_spelling_or_order_is_no_difference(other: Fields) -> None:
    assert differences({**FILE, **other}, FILE) == []


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"name": ["other"]}, "Name"),
        ({"version": ["1.0.post1"]}, "Version"),
        ({"requires_python": []}, "Requires-Python"),
        ({"requires_dist": ["a>=1,<2"]}, "Requires-Dist"),
        ({"requires_dist": ["not a requirement"]}, "Requires-Dist"),
        ({"requires_python": ["newest"]}, "Requires-Python"),
        ({"provides_extra": []}, "Provides-Extra"),
        ({"classifiers": ["One"]}, "Classifier"),
        ({"license_expression": ["MIT"]}, "License-Expression"),
        ({"project_urls": []}, "Project-URL"),
        ({"home_page": []}, "Project-URL"),
    ],
)
def test_another_value_is_a_difference(other: Fields, field: str) -> None:
    assert differences({**FILE, **other}, FILE) == [field]
    assert differences(FILE, {**FILE, **other}) == [field]


def test_the_json_of_a_release_is_compared_by_the_names_of_the_form() -> None:
    info = {
        "name": "demo-project",
        "version": "1.0",
        "summary": "A demo",
        "requires_python": ">=3.9,<4",
        "requires_dist": FILE["requires_dist"],
        "provides_extra": ["some-extra"],
        "classifiers": ["One", "Two"],
        "keywords": "a,b",
        "home_page": "https://h.example",
        "project_urls": {"Homepage": "https://h.example", "Home": "https://a.example"},
        "yanked": False,
        "license": None,
    }
    assert differences(form_fields(info), FILE) == []
    assert differences(form_fields({**info, "classifiers": []}), FILE) == ["Classifier"]


def test_a_difference_has_both_values_shortened() -> None:
    [difference] = find_differences({"summary": ["x" * 500]}, {}, "JSON API")
    assert difference == Difference("Summary", "JSON API", "x" * 197 + "...", None)
