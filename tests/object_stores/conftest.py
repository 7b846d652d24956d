"""The repository of these tests is created by one server and read through the other."""

import pytest

from tests.support.index import Index, Server


@pytest.fixture
def index(one: Server) -> Index:
    """A new repository, created through the first server."""
    return one.repository()
