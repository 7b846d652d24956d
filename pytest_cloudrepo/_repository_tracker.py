"""Tracks which repositories the fixtures and tests create or open, and which a test uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_cloudrepo.repository import Repository


class RepositoryTracker:
    """A record of the session's repositories; a pytest plugin that observes the fixtures.

    A test uses the repositories that it creates itself, and those of its fixtures, even if these
    were set up for an earlier test.
    """

    def __init__(self) -> None:
        self.of_test: dict[Repository, int] = {}
        """The repositories that the current test uses, each with the number of the last request
        before the test."""
        self._test_name = ""
        self._in_setup: list[pytest.FixtureDef[Any]] = []
        self._of_fixtures: dict[pytest.FixtureDef[Any], list[Repository]] = {}

    def creator(self) -> str:
        """Return the name of the fixture that is being set up, or else of the current test."""
        return self._in_setup[-1].argname if self._in_setup else self._test_name

    def add(self, repository: Repository, last_request: int) -> None:
        """Record a repository that the current fixture or test has created or opened.

        Args:
            repository: the repository.
            last_request: the number of the last request that it had received before.
        """
        if self._in_setup:
            self._of_fixtures.setdefault(self._in_setup[-1], []).append(repository)
        if all(each.name != repository.name for each in self.of_test):
            self.of_test[repository] = last_request

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Record how many requests the repositories of the test's fixtures have received."""
        self._test_name = item.name
        names = set(getattr(item, "fixturenames", ()))
        # Several fixtures may have opened the same repository.
        used = {
            repository.name: repository
            for fixture, repositories in self._of_fixtures.items()
            if fixture.argname in names
            for repository in repositories
        }
        self.of_test = {repository: repository.last_request or 0 for repository in used.values()}

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """Record which fixture is being set up."""
        self._in_setup.append(fixturedef)
        try:
            return (yield)
        finally:
            self._in_setup.pop()

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Remove the record of the repositories of a fixture that was torn down."""
        self._of_fixtures.pop(fixturedef, None)
