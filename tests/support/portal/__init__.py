"""Shared code of the portal's tests."""
