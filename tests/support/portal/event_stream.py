"""The stream of new requests, which a page of the request log reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.support.portal.browser import Browser


class EventStream:
    """A response with server-sent events. Reading an event fails after the timeout of a request."""

    def __init__(self, response: requests.Response) -> None:
        self.response = response
        self.last_id = ""
        self._lines = response.iter_lines(chunk_size=1, decode_unicode=True)

    def read(self) -> tuple[str, dict[str, Any]] | None:
        """Return the kind and the data of the next event, or None at the end of the stream."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif "event" in fields:
                self.last_id = fields["id"]
                return fields["event"], json.loads(fields["data"])
        return None

    def rows_until(self, text: str) -> str:
        """Return the HTML of new rows up to the first event that contains a text."""
        html = ""
        while text not in html:
            event = self.read()
            assert event is not None, f"the stream ended before {text}: {html}"
            html += event[1].get("html", "")
        return html


@contextmanager
def event_stream(
    browser: Browser, path: str = "/portal/requests/live", **headers: str
) -> Iterator[EventStream]:
    """Open a stream of new requests."""
    with browser.request("GET", path, stream=True, headers=headers) as response:
        assert response.status_code == 200, response.text
        stream = EventStream(response)
        assert stream.read() == ("open", {})
        yield stream
