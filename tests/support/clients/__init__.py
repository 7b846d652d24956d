"""Shared code of the tests in `tests/clients`: installed clients, and the table of results."""
