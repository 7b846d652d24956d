"""Serials of a repository that several servers change at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import obstore
import pytest

from tests.support.archives import wheel
from tests.support.index import JSON, Index, Server
from tests.support.object_stores.engines import Engine
from tests.support.object_stores.fixtures import StartSharedServer, index_through
from tests.support.object_stores.flaky_network import Action, FlakyNetwork
from tests.support.object_stores.pause import Pause
from tests.support.wait import wait_until

UPLOADS = 6


def root_serials(index: Index) -> tuple[int, dict[str, int]]:
    """Return the last serial and that of each project, as the root page states them."""
    page = index.get("/", Accept=JSON).json()
    projects = {project["name"]: project["_last-serial"] for project in page["projects"]}
    return page["meta"]["_last-serial"], projects


def test_changes_through_several_servers_have_distinct_serials(
    first_server: Server, second_server: Server
) -> None:
    first = first_server.repository(dialect="pypi")
    indexes = [first, index_through(second_server, first)]
    seen: dict[str, int] = {}

    def synchronize() -> None:
        # As a mirror does: only projects with a greater serial are read again.
        known = max(seen.values(), default=0)
        for index in indexes:
            _, projects = root_serials(index)
            seen.update({name: each for name, each in projects.items() if each > known})

    with ThreadPoolExecutor(2 * UPLOADS) as threads:
        uploads = [
            threads.submit(index.publish, wheel(f"demo{number}-{which}"))
            for which, index in enumerate(indexes)
            for number in range(UPLOADS)
        ]
        while not all(upload.done() for upload in uploads):
            synchronize()
    for upload in uploads:
        upload.result()
    synchronize()
    last, projects = root_serials(indexes[0])
    assert root_serials(indexes[1]) == (last, projects)
    assert seen == projects
    assert sorted(projects.values()) == list(range(1, 2 * UPLOADS + 1))
    assert last == 2 * UPLOADS


def test_a_serial_is_visible_on_the_other_server_at_once(
    first_server: Server, second_server: Server
) -> None:
    first = first_server.repository(dialect="pypi")
    second = index_through(second_server, first)
    for number, index in enumerate((first, second, first), start=1):
        index.publish(wheel(version=f"{number}.0"))
        for each in (first, second):
            page = each.get("/demo/", Accept=JSON)
            assert page.json()["meta"]["_last-serial"] == number
            assert page.headers["X-PyPI-Last-Serial"] == str(number)
            assert root_serials(each) == (number, {"demo": number})
            assert each.get("/pypi/demo/json").json()["last_serial"] == number


def test_changes_in_another_dialect_have_serials_on_every_server_after_the_next_switch(
    first_server: Server, second_server: Server
) -> None:
    index = first_server.repository(dialect="pypi")
    second = index_through(second_server, index)
    index.publish(wheel(), wheel("other"))
    index.set(dialect="modern")
    second.publish(wheel(version="2.0"))
    index.set(dialect="pypi")
    page = second.get("/demo/", Accept=JSON)
    assert page.headers["X-PyPI-Last-Serial"] == "3"
    assert root_serials(index) == root_serials(second) == (3, {"demo": 3, "other": 2})


def test_an_uploaded_change_without_a_serial_gets_one_from_its_first_reader(
    start_shared_server: StartSharedServer, engine: Engine, url: str
) -> None:
    index = start_shared_server().repository(dialect="pypi")
    index.publish(wheel(), wheel("other"))
    # As if a server had been killed after the second upload, and before its serial was written.
    (key,) = (key for key in engine.keys(url) if key.startswith("serials/"))
    path = f"{urlsplit(url).path.strip('/')}/{key}"
    before = obstore.get(engine.store(), path).bytes()
    index.publish(wheel(version="2.0"))
    obstore.put(engine.store(), path, before)
    second = index_through(start_shared_server(), index)
    assert second.get("/demo/", Accept=JSON).headers["X-PyPI-Last-Serial"] == "3"
    assert root_serials(index) == root_serials(second) == (3, {"demo": 3, "other": 2})


@pytest.fixture
def shared(second_server: Server) -> Index:
    """A repository with one project and its serial, addressed through a server without a pause."""
    index = second_server.repository(dialect="pypi")
    index.publish(wheel("other"))
    return index


def test_the_root_page_contains_a_project_that_was_added_while_its_serials_were_assigned(
    shared: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    # The first reader assigns serials to the projects that changed in another dialect.
    pause = Pause(network, Action.FORWARD, folder="/serials")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(root_serials, index_through(paused_server, shared))
        pause.wait()
        shared.publish(wheel())
        pause.resume()
    assert read.result() == (2, {"demo": 2, "other": 1})


def test_the_root_page_contains_a_project_that_was_added_while_its_serials_were_read(
    shared: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    index = index_through(paused_server, shared)
    root_serials(index)
    pause = Pause(network, Action.FORWARD, folder="/serials", method="GET", first_only=True)
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(root_serials, index)
        pause.wait()
        # This list of projects is read after the paused request was sent.
        assert root_serials(index) == (1, {"other": 1})
        shared.publish(wheel())
        pause.resume()
    assert read.result() == (2, {"demo": 2, "other": 1})


def test_a_projects_page_is_as_new_as_its_serial(
    shared: Index, paused_server: Server, network: FlakyNetwork
) -> None:
    index = index_through(paused_server, shared)
    assert root_serials(index) == (1, {"other": 1})
    network.responded.clear()
    pause = Pause(network, Action.FORWARD, folder="/serials", method="GET")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit(index.get, "/other/", Accept=JSON)
        pause.wait()
        wait_until(
            lambda: any("/p-other" in path for _, path in network.responded),
            "the store to return the project",
        )
        shared.publish(wheel("other", "2.0"))
        pause.resume()
    page = read.result().json()
    assert page["meta"]["_last-serial"] == 2
    assert page["versions"] == ["1.0", "2.0"]
