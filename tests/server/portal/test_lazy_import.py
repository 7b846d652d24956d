"""The portal and its libraries are imported with its first page, not at the start of the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.index import Server
from tests.support.process import ServerProcess

PORTAL_LIBRARIES = (
    "jinja2",
    "markupsafe",
    "itsdangerous",
    "readme_renderer",
    "docutils",
    "comrak",
    "pygments",
)
"""The libraries that only the portal needs."""


def imported(log: str) -> set[str]:
    """Return the modules that a server has imported, according to its log."""
    return {
        line.rpartition("|")[2].strip()
        for line in log.splitlines()
        if line.startswith("import time")
    }


@pytest.fixture
def logging_server(tmp_path: Path) -> Server:
    """A server that logs every module it imports."""
    return Server(ServerProcess(tmp_path / "server", environ={"PYTHONPROFILEIMPORTTIME": "1"}))


def test_the_portal_is_imported_with_its_first_page(logging_server: Server) -> None:
    index = logging_server.repository()
    assert logging_server.request("GET", "/healthz").status_code == 200
    assert logging_server.request("GET", "/").headers["Location"] == "/portal/"
    assert index.get().status_code == 200
    before = imported(logging_server.process.log)
    assert "cloudrepo_server.web.app" in before
    assert not {name for name in before if name.split(".")[0] in PORTAL_LIBRARIES}
    assert not {name for name in before if name.startswith("cloudrepo_server.web.portal.")}

    assert logging_server.request("GET", "/portal/sign-in").status_code == 200
    assert {"jinja2", "itsdangerous"} <= imported(logging_server.process.log)
    # The libraries that render READMEs are imported with the first README.
    assert "docutils" not in imported(logging_server.process.log)
    logging_server.close()
    assert logging_server.process.stop() == 0
