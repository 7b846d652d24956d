"""An HTTP client for the admin API of an index server."""

from __future__ import annotations

import base64
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from pytest_cloudrepo._programs.network import user_ca_bundle
from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping

Json: TypeAlias = Any
"""A decoded JSON document."""

_CONNECT_TIMEOUT = 5.0
_READ_TIMEOUT = 60.0
# Servers and proxies close connections that are idle. A request that is sent at the same moment
# gets no response. Servers usually wait for at least 60 seconds.
_MAX_IDLE = 30.0


class Api:
    """A client for the admin API of one server, which reuses recently used connections."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._session = _Session()
        # Ignore the user's proxies and netrc file.
        self._session.trust_env = False
        # Use the user's CA bundle: the server may have a certificate of a company's authority.
        self._session.verify = user_ca_bundle() or True
        self._session.auth = _BasicAuth(username, password)
        self._last_use = monotonic()

    def __repr__(self) -> str:
        return f"<Api of {self.url}>"

    def call(
        self,
        method: str,
        *path: str,
        json: Mapping[str, Any] | None = None,
        body: IO[bytes] | bytes | None = None,
        content_type: str | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> Json:
        """Send a request, and return the response's JSON, or None if its body is empty.

        Args:
            method: the HTTP method.
            path: the segments of the path below `/api`, not percent-encoded.
            json: the request's body as JSON.
            body: a file or its content, to send as the request's body.
            content_type: the content type of `body`.
            query: the query parameters.

        Raises:
            ServerError: the server rejected the request or did not respond. The message is the
                server's own if there is one.
        """
        __tracebackhide__ = True
        url = "/".join([self.url, "api", *(quote(segment, safe="") for segment in path)])
        if monotonic() - self._last_use > _MAX_IDLE:
            self._session.close()
        try:
            response = self._session.request(
                method,
                url,
                json=json,
                data=body,
                headers=None if content_type is None else {"Content-Type": content_type},
                params=query,
                timeout=(_CONNECT_TIMEOUT, _READ_TIMEOUT),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # The context is dropped because its stack frames contain the login.
            raise ServerError(
                f"the index server at {self.url} did not respond: {_root_cause(error)}"
            ) from None
        finally:
            self._last_use = monotonic()
        if response.status_code >= requests.codes.bad_request:
            raise ServerError(_error_message(response), status=response.status_code)
        return response.json() if response.content else None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = HTTPConnectionPool.ConnectionCls


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = HTTPSConnectionPool.ConnectionCls


class _Adapter(HTTPAdapter):
    send = HTTPAdapter.send

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - as in requests
        super().init_poolmanager(*arguments, **options)
        pools = {"http": _HTTPPool, "https": _HTTPSPool}
        self.poolmanager.pool_classes_by_scheme = pools


class _Session(requests.Session):
    """A session that sends real requests even while a test mocks `requests`.

    responses, requests-mock, vcrpy and users' own mocks replace attributes of the classes of
    requests and urllib3. The subclasses here have their own references to the original attributes.
    """

    request = requests.Session.request
    send = requests.Session.send
    get_adapter = requests.Session.get_adapter

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())


class _BasicAuth(AuthBase):
    """HTTP Basic authentication, encoded in UTF-8 (requests uses Latin-1), without a `repr`."""

    def __init__(self, username: str, password: str) -> None:
        credentials = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._header = Secret(f"Basic {credentials}")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _error_message(response: requests.Response) -> str:
    try:
        return str(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.reason}"


def _root_cause(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
