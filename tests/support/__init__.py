"""Shared code of the tests: a running server, archives, forms, raw connections, and more."""
