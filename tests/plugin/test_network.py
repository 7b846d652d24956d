"""The network guard of subprocesses if the server's proxy cannot be used."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cloudrepo._programs.network import NetworkGuard, NoProxyError
from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_cloudrepo import Repository

REQUEST_URLS = """
import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=30).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except urllib.error.URLError as error:
        print(type(error.reason).__name__)
"""


SERVER_URL = "http://index.example"


def unreachable_proxy(*_: str, json: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (the signature of the API)
    # Nothing listens on this port, as if a container did not publish the port.
    return {"id": "1", "proxy": "http://1:secret@127.0.0.1:9", "ca": None}


def no_proxy(*_: str, json: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (the signature of the API)
    raise ServerError("An impersonation needs a server that does not share its store.", status=409)


@pytest.mark.parametrize("call", [unreachable_proxy, no_proxy])
def test_without_a_working_proxy_subprocesses_reach_only_the_server(
    cloudrepo: Repository,
    tmp_path: Path,
    call: Any,  # noqa: ANN401 (any function)
) -> None:
    environ = {**cloudrepo.environ, **NetworkGuard(call, cloudrepo.url, tmp_path).variables()}
    arguments = [sys.executable, "-c", REQUEST_URLS, cloudrepo.url, "http://other.example/"]
    completed = subprocess.run(
        arguments, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert completed.stdout.split() == ["401", "ConnectionRefusedError"], completed


@pytest.mark.parametrize("call", [unreachable_proxy, no_proxy])
def test_hosts_reached_without_the_proxy_are_the_server_and_the_allowed_hosts(
    tmp_path: Path,
    call: Any,  # noqa: ANN401 (any function)
) -> None:
    guard = NetworkGuard(call, "https://index.example:8443/repositories/x", tmp_path)
    guard.allow("b.example")
    variables = guard.variables()
    assert variables["NO_PROXY"] == variables["no_proxy"]
    assert variables["NO_PROXY"].split(",")[-2:] == ["index.example", "b.example"]


def test_impersonation_without_a_proxy_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        NoProxyError, match=r"cannot connect to the index server.s proxy at 127\.0\.0\.1, port 9"
    ):
        NetworkGuard(unreachable_proxy, SERVER_URL, tmp_path).impersonate("http://other.example/")
    with pytest.raises(NoProxyError, match="does not share its store"):
        NetworkGuard(no_proxy, SERVER_URL, tmp_path).impersonate("http://other.example/")


def test_other_errors_of_the_server_are_raised_unchanged(tmp_path: Path) -> None:
    def reject(*_: str, **__: object) -> None:
        raise ServerError("That is no URL.", status=400)

    with pytest.raises(ServerError, match="That is no URL") as raised:
        NetworkGuard(reject, SERVER_URL, tmp_path).variables()
    assert not isinstance(raised.value, NoProxyError)
