"""What keeps a test's programs from other hosts where the server's proxy is of no use."""

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

ASKS = """
import sys, urllib.error, urllib.request
for url in sys.argv[1:]:
    try:
        print(urllib.request.urlopen(url, timeout=30).status)
    except urllib.error.HTTPError as error:
        print(error.code)
    except urllib.error.URLError as error:
        print(type(error.reason).__name__)
"""


HOME = "http://index.example"


def out_of_reach(*_: str, json: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (the API's)
    # Its port is mapped to nowhere, as a container's is.
    return {"id": "1", "proxy": "http://1:secret@127.0.0.1:9", "ca": None}


def shares_its_store(*_: str, json: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG001 (likewise)
    raise ServerError("An impersonation belongs to one server.", status=409)


@pytest.mark.parametrize("call", [out_of_reach, shares_its_store])
def test_programs_reach_the_server_and_no_other_host(
    cloudrepo: Repository,
    tmp_path: Path,
    call: Any,  # noqa: ANN401 (a function of any kind)
) -> None:
    environ = {**cloudrepo.environ, **NetworkGuard(call, cloudrepo.url, tmp_path).variables()}
    asked = [sys.executable, "-c", ASKS, cloudrepo.url, "http://other.example/"]
    ended = subprocess.run(
        asked, env=environ, capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout.split() == ["401", "ConnectionRefusedError"], ended


@pytest.mark.parametrize("call", [out_of_reach, shares_its_store])
def test_the_servers_host_and_those_allowed_are_reached_directly(
    tmp_path: Path,
    call: Any,  # noqa: ANN401 (a function of any kind)
) -> None:
    guard = NetworkGuard(call, "https://index.example:8443/repositories/x", tmp_path)
    guard.allow("b.example")
    variables = guard.variables()
    assert variables["NO_PROXY"] == variables["no_proxy"]
    assert variables["NO_PROXY"].split(",")[-2:] == ["index.example", "b.example"]


def test_who_needs_the_proxy_is_told_that_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(
        NoProxyError, match=r"cannot connect to the index server.s proxy at 127\.0\.0\.1, port 9"
    ):
        NetworkGuard(out_of_reach, HOME, tmp_path).impersonate("http://other.example/")
    with pytest.raises(NoProxyError, match="belongs to one server"):
        NetworkGuard(shares_its_store, HOME, tmp_path).impersonate("http://other.example/")


def test_other_refusals_are_told_as_they_are(tmp_path: Path) -> None:
    def refuses(*_: str, **__: object) -> None:
        raise ServerError("That is no URL.", status=400)

    with pytest.raises(ServerError, match="That is no URL") as raised:
        NetworkGuard(refuses, HOME, tmp_path).variables()
    assert not isinstance(raised.value, NoProxyError)
