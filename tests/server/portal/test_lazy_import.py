"""The portal and its libraries are not imported at the start of a server.

A server with an owner process imports them for the first page of the portal.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.imported_modules import PROFILED, imported_modules
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


@pytest.fixture
def logging_server(tmp_path: Path) -> Server:
    """A server with an owner process that logs every module it imports."""
    owner = ("--owner-pid", str(os.getpid()))
    return Server(ServerProcess(tmp_path / "server", *owner, environ={PROFILED: "1"}))


def test_the_portal_is_imported_with_its_first_page(logging_server: Server) -> None:
    index = logging_server.repository()
    assert logging_server.request("GET", "/healthz").status_code == 200
    assert logging_server.request("GET", "/").headers["Location"] == "/portal/"
    assert index.get().status_code == 200
    before = imported_modules(logging_server.process.log)
    assert "cloudrepo_server.web.app" in before
    assert not {name for name in before if name.split(".")[0] in PORTAL_LIBRARIES}
    portal = {name for name in before if name.startswith("cloudrepo_server.web.portal.")}
    assert portal == {"cloudrepo_server.web.portal.preparation"}

    assert logging_server.request("GET", "/portal/sign-in").status_code == 200
    assert {"jinja2", "itsdangerous"} <= imported_modules(logging_server.process.log)
    # The libraries that render READMEs are imported with the first README.
    assert "docutils" not in imported_modules(logging_server.process.log)
    logging_server.close()
    assert logging_server.process.stop() == 0
