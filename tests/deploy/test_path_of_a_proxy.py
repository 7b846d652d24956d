"""A server below a path of nginx, with the configuration that the documentation shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.archives import wheel
from tests.support.deploy import DEPLOY, accepts_connections, start_nginx
from tests.support.index import Server
from tests.support.markdown import blocks
from tests.support.portal.browser import Browser
from tests.support.ports import free_port
from tests.support.process import ServerProcess
from tests.support.wait import wait_until

PAGE = DEPLOY.parent / "docs" / "how-to" / "shared-server.md"
CONFIGURATION = """
events {{}}
http {{
    access_log off;
    server {{
        listen 127.0.0.1:{port};
        {location}
    }}
}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server at the URL of nginx."""
    (location,) = (block.text for block in blocks(PAGE, "nginx"))
    process = ServerProcess(tmp_path / "server", "--behind-proxy")
    server, port = Server(process), free_port()
    assert "http://127.0.0.1:8080/" in location
    location = location.replace("http://127.0.0.1:8080", server.url)
    with start_nginx(tmp_path, CONFIGURATION.format(port=port, location=location)) as nginx:
        wait_until(lambda: accepts_connections(port), "nginx")
        server.url = f"http://127.0.0.1:{port}/packages"
        yield server
        nginx.terminate()
    server.close()
    assert process.stop() == 0


def test_clients_and_browsers_stay_below_the_path(server: Server) -> None:
    index = server.repository(files="other-host")
    assert index.url == f"{server.url}{index.path}"
    archive = wheel(version="1.0+local")
    index.publish(archive)
    link = index.files()[archive.filename]["url"]
    assert urlsplit(link).path.startswith("/packages/files/")
    assert index.linked(link).content == archive.data
    browser = Browser(server)
    path = "/packages/portal/sign-in"
    username, password = server.admin
    page = browser.submit(path, path, username=username, password=password)
    assert page.path == "/packages/portal/"
    user = browser.get(f"/packages/portal/users/{index.username.replace('@', '%40')}")
    assert index.username in user.text
    browser.close()
