"""A kept HTTP connection, for tests that send thousands of requests."""

from __future__ import annotations

import http.client
import json as json_module
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from tests.support.raw import basic

_SECONDS = 60.0

Login = tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: int
    reason: str
    headers: Mapping[str, str]
    content: bytes

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:  # noqa: ANN401 (JSON)
        return json_module.loads(self.content)


class KeptConnection:
    """A connection to a server, which is opened again if the server closed it."""

    def __init__(self, url: str, *, seconds: float = _SECONDS) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        login: Login = None,
        body: bytes | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send a request, and read the whole response.

        Raises:
            OSError, http.client.HTTPException: there was no complete response.
        """
        sent = dict(headers or {})
        if login is not None:
            sent["Authorization"] = basic(*login)
        if json is not None:
            body = json_module.dumps(json).encode()
            sent.setdefault("Content-Type", "application/json")
        try:
            self._connection.request(method, path, body, sent)
            response = self._connection.getresponse()
            content = response.read()
        except BaseException:
            self._connection.close()
            raise
        return Response(response.status, response.reason, dict(response.getheaders()), content)
