"""Fixture `index`: these tests write through one server and read through another."""

import pytest

from tests.support.index import Index, Server


@pytest.fixture
def index(first_server: Server) -> Index:
    """A new repository, created through the first server."""
    return first_server.repository()
