"""How long real installers keep the page of a project."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.support.clients import catalogue
from tests.support.clients.installer import Installer
from tests.support.clients.installs import install, tls_variables
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import CACHES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.factories import RepositoryFactory
    from tests.support.clients.client import Client, InstalledClient
    from tests.support.clients.table import RecordRow


@pytest.mark.parametrize("client", catalogue.INSTALLERS, ids=str)
@pytest.mark.parametrize("seconds", [None, 600])
def test_a_page_is_kept_only_if_the_index_allows_it(
    client: Client,
    seconds: int | None,
    cloudrepo_factory: RepositoryFactory,
    cloudrepo_server: Server,
    install_client: Callable[[Client], InstalledClient],
    record_row: RecordRow,
    tmp_path: Path,
) -> None:
    repository = cloudrepo_factory(page_max_age=seconds)
    repository.publish_all(GRAPH)
    cache = str(tmp_path / "cache")
    # pip caches nothing that it receives without TLS.
    connection = replace(repository.connection, url=repository.https_url)
    environ = {
        **tls_variables(cloudrepo_server, tmp_path),
        **{f"{tool}_CACHE_DIR": cache for tool in ("PIP", "UV", "PDM", "POETRY")},
    }
    statuses = []
    for name in ("first", "second"):
        repository.requests.clear()
        folder = tmp_path / name
        folder.mkdir()
        installer = Installer(install_client(client), repository, folder, record_row)
        result = install(installer, connection, environ=environ, has_cache=True)
        assert result.ok, result.output
        statuses.append([each.status for each in repository.requests if each.kind == "page"])
    first, second = statuses
    assert 200 in first
    action = "no setting" if seconds is None else f"`page_max_age={seconds}`"
    assert bool(second) == (seconds is None), second
    if seconds is not None:
        outcome = "keeps the page"
    elif 304 in second:
        outcome = "asks whether the page has changed"
    else:
        outcome = "reads the page again"
    installer.record(CACHES, f"install again, {action}", result, outcome)
