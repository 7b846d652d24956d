from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.index import Server
from tests.support.process import ServerProcess

LATER = (
    "jinja2",
    "markupsafe",
    "itsdangerous",
    "readme_renderer",
    "docutils",
    "comrak",
    "pygments",
)
"""What only the portal needs."""


def imported(log: str) -> set[str]:
    """The modules that a server says it imported."""
    return {
        line.rpartition("|")[2].strip()
        for line in log.splitlines()
        if line.startswith("import time")
    }


@pytest.fixture
def telling(tmp_path: Path) -> Server:
    """A server that prints every module as it imports it."""
    return Server(ServerProcess(tmp_path / "server", environ={"PYTHONPROFILEIMPORTTIME": "1"}))


def test_the_portal_is_imported_with_its_first_page(telling: Server) -> None:
    index = telling.repository()
    assert telling.request("GET", "/healthz").status_code == 200
    assert telling.request("GET", "/").headers["Location"] == "/portal/"
    assert index.get().status_code == 200
    before = imported(telling.process.log)
    assert "cloudrepo_server.web.app" in before
    assert not {name for name in before if name.split(".")[0] in LATER}
    assert not {name for name in before if name.startswith("cloudrepo_server.web.portal.")}

    assert telling.request("GET", "/portal/sign-in").status_code == 200
    assert {"jinja2", "itsdangerous"} <= imported(telling.process.log)
    # What renders READMEs waits for the first of them.
    assert "docutils" not in imported(telling.process.log)
    telling.close()
    assert telling.process.stop() == 0
