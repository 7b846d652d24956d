"""`--cloudrepo-keep`: the summary links each failed test to its page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from tests.support.inner_sessions import Suite

TESTS = """
import pytest

def test_fails(cloudrepo, cloudrepo_factory):
    cloudrepo_factory()
    assert 0

def test_passes(cloudrepo):
    pass

def test_skips(cloudrepo):
    pytest.skip("later")

@pytest.fixture
def broken(cloudrepo):
    yield
    raise ValueError("broken teardown")

def test_teardown_fails(broken):
    pass

def test_deletes(cloudrepo, cloudrepo_server):
    cloudrepo_server.delete_repository(cloudrepo)
    assert 0

def test_without_a_repository():
    assert 0
"""


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_the_summary_links_each_failed_test_to_its_page(suite: Suite, workers: str) -> None:
    suite.write(test_it=TESTS)
    outcome = suite.run(workers, "--cloudrepo-keep", "--junitxml=junit.xml")
    assert outcome.counts() == {"failed": 3, "passed": 2, "errors": 1}, outcome
    summary = outcome.output.partition("cloudrepo: the index server keeps running")[2]
    url = re.findall(r"^URL: (\S+)$", summary, re.MULTILINE)[0]
    found = re.findall(r"^  (test_it.py::\w+)\n((?:    .*\n)+)", summary, re.MULTILINE)
    links = {test: text.split() for test, text in found}
    assert sorted(links) == [
        "test_it.py::test_deletes",
        "test_it.py::test_fails",
        "test_it.py::test_teardown_fails",
    ]
    assert "could not be found" in " ".join(links["test_it.py::test_deletes"])
    junit = (suite.folder / "junit.xml").read_text("utf-8")
    with requests.Session() as browser:
        (link,) = links["test_it.py::test_fails"]
        assert link.startswith(f"{url}/portal/sign-in/link?token=")
        assert link.partition("=")[2] not in junit
        page = browser.get(link, timeout=60)
        assert page.url.startswith(f"{url}/portal/tests/test_fails-")
        assert "2 repositories" in page.text
        tests = browser.get(f"{url}/portal/tests", timeout=60).text
    for test, result in (("fails", "failed"), ("passes", "passed"), ("skips", "skipped")):
        assert re.search(rf"test_it.py::test_{test}</code></a>\s*<span[^>]*>{result}<", tests)
    assert re.search(r"test_it.py::test_teardown_fails</code></a>\s*<span[^>]*>failed<", tests)
