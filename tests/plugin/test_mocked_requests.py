"""Test suites that have requests, sockets or programs replaced while they use the fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import mock

import pytest
import requests
import requests_mock
import responses
import vcr

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository
    from tests.support.inner_sessions import Suite

ELSEWHERE = "http://elsewhere.invalid/"


def by_responses() -> AbstractContextManager[object]:
    mocked = responses.RequestsMock()
    mocked.get(ELSEWHERE, body="mocked")
    return mocked


def by_requests_mock() -> AbstractContextManager[object]:
    mocked = requests_mock.Mocker()
    mocked.get(ELSEWHERE, text="mocked")
    return mocked


def by_hand() -> AbstractContextManager[object]:
    return mock.patch("requests.Session.request", return_value=mock.Mock(text="mocked"))


@pytest.mark.parametrize("mocked", [by_responses, by_requests_mock, by_hand])
def test_the_fixtures_reach_the_server_while_requests_is_mocked(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    mocked: Callable[[], AbstractContextManager[object]],
) -> None:
    with mocked():
        assert requests.get(ELSEWHERE, timeout=10).text == "mocked"
        cloudrepo.publish(cloudrepo_package("demo", "1.0"))
        cloudrepo.upload(cloudrepo_package("demo", "2.0"))
        assert cloudrepo.versions("demo") == ["1.0", "2.0"]


def test_a_cassette_of_vcrpys_holds_nothing_of_the_fixtures(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    cassette = tmp_path / "cassette.yaml"
    with vcr.use_cassette(cassette):
        requests.get(cloudrepo.url, timeout=10)
        # More than one at a time, so that a connection is made while it is recording.
        cloudrepo._api.close()  # noqa: SLF001 - no test would close it
        cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    recorded = cassette.read_text(encoding="utf-8")
    assert cloudrepo.name in recorded
    assert "/api/" not in recorded


def test_a_report_that_cannot_be_made_does_not_end_the_run(suite: Suite) -> None:
    suite.write(
        test_it="""
import socket
import pytest

def blocked(*arguments):
    raise RuntimeError("no sockets here")

def test_fails(cloudrepo, monkeypatch):
    cloudrepo._api.close()
    monkeypatch.setattr(socket.socket, "connect", blocked)
    cloudrepo.files("demo")

def test_passes(cloudrepo):
    assert cloudrepo.files("demo") == []
"""
    )
    outcome = suite.run("-q")
    assert outcome.counts() == {"passed": 1, "failed": 1}, outcome
    assert "RuntimeError('no sockets here')" in outcome.output
    suite.expect_nothing_left()
