"""The admin API of an index server, over HTTP."""

from __future__ import annotations

import base64
from typing import IO, TYPE_CHECKING, Any
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

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 60.0


class Api:
    """Calls of one server's admin API, over connections that stay open."""

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url.rstrip("/")
        self._session = _Session()
        # The user's proxies and netrc are not meant for this server.
        self._session.trust_env = False
        # But whom they trust is: a server may stand behind a company's own authority.
        self._session.verify = user_ca_bundle() or True
        self._session.auth = _Login(username, password)

    def __repr__(self) -> str:
        return f"<Api of {self.url}>"

    def call(
        self,
        method: str,
        *path: str,
        json: Mapping[str, Any] | None = None,
        body: IO[bytes] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        """The answer's JSON, or None where it has no body.

        Args:
            method: GET, POST, PUT, PATCH or DELETE.
            path: the segments below `/api`, not yet percent-encoded.
            json: what to send, or
            body: a file to send as it is.
            query: the URL's query.

        Raises:
            ServerError: the server said no, in its own words, or did not answer.
        """
        __tracebackhide__ = True
        url = "/".join([self.url, "api", *(quote(segment, safe="") for segment in path)])
        try:
            answer = self._session.request(
                method,
                url,
                json=json,
                data=body,
                params=query,
                timeout=(CONNECT_TIMEOUT, ANSWER_TIMEOUT),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # Without its context: the frames below hold the login.
            raise ServerError(
                f"the index server at {self.url} does not answer: {_root_cause(error)}"
            ) from None
        if answer.status_code >= requests.codes.bad_request:
            raise ServerError(_sentence(answer), status=answer.status_code)
        return answer.json() if answer.content else None

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = HTTPConnectionPool.ConnectionCls


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = HTTPSConnectionPool.ConnectionCls


class _Adapter(HTTPAdapter):
    send = HTTPAdapter.send

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - requests'
        super().init_poolmanager(*arguments, **options)
        pools = {"http": _HTTPPool, "https": _HTTPSPool}
        self.poolmanager.pool_classes_by_scheme = pools


class _Session(requests.Session):
    """A session of requests whose traffic is real while a test has requests mocked.

    responses, requests-mock, vcrpy and tests of their own replace members of requests' and
    urllib3's classes. These classes have their own, from before.
    """

    request = requests.Session.request
    send = requests.Session.send
    get_adapter = requests.Session.get_adapter

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())


class _Login(AuthBase):
    """HTTP Basic in UTF-8 (requests would take Latin-1), with nothing in its repr."""

    def __init__(self, username: str, password: str) -> None:
        pair = base64.b64encode(f"{username}:{password}".encode()).decode("ascii")
        self._header = Secret(f"Basic {pair}")

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _sentence(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason}"


def _root_cause(error: BaseException) -> str:
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
