"""Test suites that use the fixtures while requests or sockets are mocked."""

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

MOCKED_URL = "http://mocked.invalid/"


def with_responses() -> AbstractContextManager[object]:
    mocked = responses.RequestsMock()
    mocked.get(MOCKED_URL, body="mocked")
    return mocked


def with_requests_mock() -> AbstractContextManager[object]:
    mocked = requests_mock.Mocker()
    mocked.get(MOCKED_URL, text="mocked")
    return mocked


def with_mock_patch() -> AbstractContextManager[object]:
    return mock.patch("requests.Session.request", return_value=mock.Mock(text="mocked"))


@pytest.mark.parametrize("mocked", [with_responses, with_requests_mock, with_mock_patch])
def test_the_fixtures_work_while_requests_is_mocked(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    mocked: Callable[[], AbstractContextManager[object]],
) -> None:
    with mocked():
        assert requests.get(MOCKED_URL, timeout=10).text == "mocked"
        cloudrepo.publish(cloudrepo_package("demo", "1.0"))
        cloudrepo.upload(cloudrepo_package("demo", "2.0"))
        assert cloudrepo.versions("demo") == ["1.0", "2.0"]


def test_vcrpy_does_not_record_the_requests_of_the_fixtures(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    cassette = tmp_path / "cassette.yaml"
    with vcr.use_cassette(cassette):
        requests.get(cloudrepo.url, timeout=10)
        # Close the connections, so that new ones are opened while vcrpy records.
        cloudrepo._api.close()  # noqa: SLF001 (not part of the public API)
        cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    recording = cassette.read_text(encoding="utf-8")
    assert cloudrepo.name in recording
    assert "/api/" not in recording


def test_a_failure_report_that_raises_does_not_abort_the_session(suite: Suite) -> None:
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
