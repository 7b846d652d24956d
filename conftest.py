"""Loads the fixtures that the tests share: pytester's, and those of `tests/support`."""

pytest_plugins = [
    "pytester",
    "tests.support.server_fixtures",
    "tests.support.inherited_signals",
    "tests.support.inner_sessions",
    "tests.support.portal.fixtures",
    "tests.support.clients.fixtures",
    "tests.support.object_stores.fixtures",
    "tests.support.deploy",
]
