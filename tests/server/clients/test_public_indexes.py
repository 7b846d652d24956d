"""The URLs of PyPI and its test instance come from the installed tools."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest
from twine import repository, utils

from cloudrepo_server.clients import PUBLIC_INDEXES, PublicIndexError, public_index, public_indexes

# pip is not imported: that would change the class of loggers in this process.
PIP_CONSTANTS = """
from pip._internal.models import index
for each in index.PyPI, index.TestPyPI:
    print(each.simple_url, each.file_storage_domain)
"""


def test_the_urls_are_those_of_twine_and_pip() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", PIP_CONSTANTS], check=True, capture_output=True, text=True
    ).stdout.split()
    found = [public_index(name) for name in PUBLIC_INDEXES]
    assert [each.upload for each in found] == [utils.DEFAULT_REPOSITORY, utils.TEST_REPOSITORY]
    web = [repository.WAREHOUSE_WEB, repository.TEST_WAREHOUSE]
    assert [f"{each.web}/" for each in found] == web
    simple = [each.simple.removesuffix("/") for each in found]
    files = [each.files.removeprefix("https://") for each in found]
    assert [text for pair in zip(simple, files, strict=True) for text in pair] == printed


def test_an_environment_without_pip_has_the_urls_from_virtualenv(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = public_index("pypi")
    find_spec = importlib.util.find_spec

    def find(name: str) -> ModuleSpec | None:
        return None if name == "pip" else find_spec(name)

    monkeypatch.setattr(public_indexes, "find_spec", find)
    public_index.cache_clear()
    assert public_index("pypi") == expected


def test_a_missing_tool_and_an_unknown_name_are_explained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="unknown public index 'npm'; use one of: pypi, testpypi"):
        public_index("npm")
    monkeypatch.setattr(public_indexes, "find_spec", lambda _: None)
    public_index.cache_clear()
    with pytest.raises(PublicIndexError, match="install twine"):
        public_index("pypi")


@pytest.fixture(autouse=True)
def _no_cached_urls() -> None:
    public_index.cache_clear()
