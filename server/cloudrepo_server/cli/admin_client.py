"""An HTTP client for the admin API of a running server, for the commands that use one."""

import base64
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from cloudrepo_server.cli.loopback import is_loopback
from cloudrepo_server.errors import InvalidError

_TIMEOUT_SECONDS = 300.0


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A handler that makes redirects an error, as the credentials are for the given URL only."""

    def redirect_request(self, *_: object) -> None:
        """Return no request to follow."""


class AdminClient:
    """A client of one server, with the credentials of its admin user."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        credentials = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._headers = {
            "Authorization": f"Basic {credentials}",
            "Content-Type": "application/json",
        }
        handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
        if is_loopback(urlsplit(self.url).hostname or ""):
            # A proxy cannot reach a loopback address, but would receive the credentials.
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def call(self, method: str, *path: str, json: object = None, expected: Any = Any) -> Any:  # noqa: ANN401 - JSON
        """Send a request, and return the JSON of the response, or None if it has no body.

        Args:
            method: the HTTP method.
            path: the segments of the path below `/api`.
            json: the body of the request.
            expected: the type of the response. By default any JSON, or no body, is accepted.

        Raises:
            InvalidError: the server rejected the request, or did not respond.
        """
        segments = "/".join(quote(segment, safe="") for segment in path)
        request = urllib.request.Request(  # noqa: S310 (the parser accepts http and https only)
            f"{self.url}/api/{segments}",
            data=None if json is None else msgspec.json.encode(json),
            headers=self._headers,
            method=method,
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT_SECONDS) as response:
                body = response.read()
                if not body and expected is Any:
                    return None
                return msgspec.json.decode(body, type=expected)
        except urllib.error.HTTPError as error:
            with error:
                raise InvalidError(self._rejection(error)) from None
        except urllib.error.URLError as error:
            raise InvalidError(f"cannot connect to {self.url}: {error.reason}") from None
        except (OSError, HTTPException, msgspec.MsgspecError) as error:
            raise InvalidError(
                f"{self.url} does not respond like a cloudrepo-server: {error}"
            ) from None

    def _rejection(self, error: urllib.error.HTTPError) -> str:
        reason = error.reason
        try:
            body = msgspec.json.decode(error.read())
            reason = body["error"]
        except (OSError, HTTPException, msgspec.MsgspecError, TypeError, KeyError):
            pass  # a proxy in front of the server responded
        return f"{self.url} rejected the request: {error.code} {reason}"
