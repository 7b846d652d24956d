"""A connection that is kept, for tests that ask thousands of times."""

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
    """What was answered."""

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
    """One connection to a server; it is made again where the server closed it."""

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
        """Ask and read the whole answer.

        Raises:
            OSError, http.client.HTTPException: there was none.
        """
        sent = dict(headers or {})
        if login is not None:
            sent["Authorization"] = basic(*login)
        if json is not None:
            body = json_module.dumps(json).encode()
        try:
            self._connection.request(method, path, body, sent)
            answer = self._connection.getresponse()
            content = answer.read()
        except BaseException:
            self._connection.close()
            raise
        return Response(answer.status, answer.reason, dict(answer.getheaders()), content)
