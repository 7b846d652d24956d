"""The explanations of surviving mutants are about the code as it is."""

from __future__ import annotations

from pathlib import Path

from tests.support.mutants.explained import explanations, without_indentation
from tests.support.mutants.scope import SCOPE, modules

PROJECT = Path(__file__).parents[2]


def test_modules_in_subfolders_are_mutated_too() -> None:
    folders = {path.parent.relative_to(PROJECT) for path in modules(PROJECT)}
    assert set(SCOPE) < folders
    assert SCOPE[1] / "pypi_rules" in folders


def test_each_explanation_is_about_lines_of_its_module() -> None:
    known = explanations()
    assert known
    outdated = [
        f"{each.module}: {each.before}"
        for each in known
        if f"\n{each.before}\n"
        not in f"\n{without_indentation((PROJECT / each.module).read_text('utf-8'))}\n"
    ]
    assert outdated == []


def test_each_explanation_has_a_sentence_as_its_reason() -> None:
    assert [each for each in explanations() if not each.reason.endswith(".")] == []
