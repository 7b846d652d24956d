"""Logins and other hosts: real installers, on an index whose files or pages are on another host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest

from tests.support.clients import catalogue
from tests.support.clients.installs import install
from tests.support.clients.releases import GRAPH
from tests.support.clients.sections import OTHER_HOSTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cloudrepo.factories import RepositoryFactory
    from pytest_cloudrepo.journal import Request
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.client import Client
    from tests.support.clients.installer import Installer

# pip 9 cannot read the credentials of the index URL.
PIPS = catalogue.PIPS[1], catalogue.PIPS[4], catalogue.PIPS[-1]
CLIENTS = (*PIPS, catalogue.UV, catalogue.POETRY, catalogue.PDM)


def check(requests_to_index: list[Request], requests_to_other: list[Request]) -> None:
    """Check that only the index received the login."""
    assert requests_to_index
    assert requests_to_other
    assert all(each.authorized for each in requests_to_index if each.status != 401)
    assert not any(each.authorized for each in requests_to_other)


@pytest.mark.parametrize("client", CLIENTS, ids=str)
@pytest.mark.parametrize("files", ["other-host", "redirect"])
def test_no_login_is_sent_to_the_host_of_files(
    client: Client,
    files: Literal["other-host", "redirect"],
    cloudrepo_factory: RepositoryFactory,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    repository = cloudrepo_factory(files=files)
    repository.publish_all(GRAPH)
    installer = create_installer(client, repository)
    result = install(installer)
    assert result.ok, result.output
    requests = repository.requests
    check(
        [each for each in requests if not each.path.startswith("/files/")],
        [each for each in requests if each.path.startswith("/files/")],
    )
    installer.record(OTHER_HOSTS, f'`files="{files}"`', result, "no login for the host of files")


@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_no_login_is_sent_to_the_host_of_a_redirected_page(
    client: Client,
    cloudrepo_factory: RepositoryFactory,
    create_installer: Callable[[Client, Repository], Installer],
) -> None:
    index, mirror = cloudrepo_factory(), cloudrepo_factory(public=True)
    mirror.publish_all(GRAPH)
    other_host = mirror.url.replace("127.0.0.1", "localhost")
    public_url = other_host.replace("/repositories/", "/public/repositories/")
    index.fault("redirect", location=f"{public_url}/base/", path="/base/")
    installer = create_installer(client, index)
    result = install(installer)
    assert result.ok, result.output
    check(list(index.requests), list(mirror.requests))
    installer.record(OTHER_HOSTS, "page on another host", result, "no login for the other host")
