"""What the tests of the admin API share."""

from __future__ import annotations

import re

import requests

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""The format of times."""


def assert_error(response: requests.Response, status: int, *words: str) -> None:
    """Assert that a response is an error with this status, whose text has these words."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body["error"] == body["message"]
    for word in words:
        assert word in body["error"]
