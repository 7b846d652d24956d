"""Serials grow with every change of a repository in the dialect `pypi`."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.archives import wheel
from tests.support.index import JSON, Index, Server
from tests.support.server_fixtures import StartServer
from tests.support.wait import wait_until


@pytest.fixture
def pypi(server: Server) -> Index:
    return server.repository(dialect="pypi")


def root_serials(index: Index) -> tuple[int, dict[str, int]]:
    """Return the last serial and that of each project, as the root page states them."""
    response = index.get("/", Accept=JSON)
    page = response.json()
    last = page["meta"]["_last-serial"]
    assert response.headers["X-PyPI-Last-Serial"] == str(last)
    return last, {project["name"]: project["_last-serial"] for project in page["projects"]}


def project_serial(index: Index, name: str = "demo") -> int:
    """Return the serial of a project, which its page and its JSON must state alike."""
    page = index.get(f"/{name}/", Accept=JSON)
    serial: int = page.json()["meta"]["_last-serial"]
    described = index.get(f"/pypi/{name}/json")
    found = [page, index.get(f"/{name}/")]
    if described.status_code == 200:
        assert described.json()["last_serial"] == serial
        found.append(described)
    assert {each.headers["X-PyPI-Last-Serial"] for each in found} == {str(serial)}
    return serial


def test_every_change_of_a_project_has_a_greater_serial(pypi: Index) -> None:
    pypi.publish(wheel("other"))
    filename = wheel().filename
    changes: list[Callable[[], object]] = [
        lambda: pypi.publish(wheel()),
        lambda: pypi.publish(wheel(version="2.0")),
        lambda: pypi.api_json("PATCH", f"/files/{filename}", {"yanked": "broken"}),
        lambda: pypi.api_json("PATCH", f"/files/{filename}", {"yanked": False}),
        lambda: pypi.api_json(
            "PATCH", f"/files/{filename}", {"upload_time": "2026-01-01T00:00:00Z"}
        ),
        lambda: pypi.api_json("PATCH", "/projects/demo", {"status": "archived"}),
        lambda: pypi.api_json("DELETE", f"/files/{filename}"),
    ]
    other = project_serial(pypi, "other")
    last = root_serials(pypi)[0]
    for change in changes:
        change()
        # The root page comes first: a project's page would make up for a missing serial.
        serial, projects = root_serials(pypi)
        assert serial > last
        assert projects == {"demo": serial, "other": other}
        assert project_serial(pypi) == serial
        last = serial


def test_a_rejected_or_identical_upload_has_no_serial(pypi: Index) -> None:
    pypi.publish(wheel())
    before = root_serials(pypi)
    pypi.publish(wheel())
    assert pypi.upload(wheel(module="x = 2\n")).status_code == 400
    assert root_serials(pypi) == before


def test_a_project_that_is_created_again_has_a_greater_serial(index: Index) -> None:
    # This dialect keeps nothing of a project without files.
    index.publish(wheel(), wheel("other"))
    index.set(dialect="pypi")
    last, _ = root_serials(index)
    index.set(dialect="modern")
    index.api_json("DELETE", f"/files/{wheel().filename}")
    index.set(dialect="pypi")
    deleted, projects = root_serials(index)
    assert deleted > last
    assert projects.keys() == {"other"}
    index.publish(wheel())
    assert root_serials(index)[1]["demo"] > deleted


def test_changes_in_another_dialect_have_serials_after_the_next_switch(index: Index) -> None:
    index.publish(wheel(), wheel("other"))
    index.set(dialect="pypi")
    last, projects = root_serials(index)
    assert projects.keys() == {"demo", "other"}
    assert last == max(projects.values()) == 2
    index.set(dialect="modern")
    index.publish(wheel(version="2.0"))
    index.set(dialect="pypi")
    changed = root_serials(index)[1]
    assert changed == {"demo": 3, "other": projects["other"]}
    assert project_serial(index) == 3


def test_concurrent_changes_have_distinct_serials_and_no_reader_misses_one(pypi: Index) -> None:
    names = [f"demo{number}" for number in range(8)]
    pypi.publish(*map(wheel, names))
    seen: dict[str, int] = {}

    def synchronize() -> None:
        # As a mirror does: only projects with a greater serial are read again.
        known = max(seen.values(), default=0)
        _, projects = root_serials(pypi)
        seen.update({name: serial for name, serial in projects.items() if serial > known})

    with ThreadPoolExecutor(4) as threads:
        uploads = [threads.submit(pypi.publish, wheel(name, "2.0")) for name in names]
        while not all(upload.done() for upload in uploads):
            synchronize()
    for upload in uploads:
        upload.result()
    synchronize()
    last, projects = root_serials(pypi)
    assert seen == projects
    assert sorted(projects.values()) == list(range(len(names) + 1, 2 * len(names) + 1))
    assert last == 2 * len(names)


def test_a_change_whose_server_ended_before_its_serial_gets_one_when_it_is_read(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    process = start_server("--data", data)
    index = Server(process).repository(dialect="pypi")
    index.publish(wheel(), wheel("other"))
    assert root_serials(index)[0] == 2
    process.stop()
    # As if the server had ended right after the change of the project.
    (stored,) = data.glob("**/projects/*/p-demo.json")
    document = json.loads(stored.read_bytes())
    stored.write_text(json.dumps({**document, "revision": "f" * 16, "status": "archived"}))
    server = Server(start_server("--data", data))
    index = Index(server, index.name, index.username, index.password)
    assert project_serial(index) == 3
    assert root_serials(index) == (3, {"demo": 3, "other": 2})


def test_damaged_serials_start_again_with_greater_ones(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    process = start_server("--data", data)
    index = Server(process).repository(dialect="pypi")
    index.publish(wheel(), wheel("other"))
    last, before = root_serials(index)
    process.stop()
    (stored,) = data.glob("**/serials/*/*.json")
    stored.write_text("{")
    process = start_server("--data", data)
    index = Index(Server(process), index.name, index.username, index.password)
    serial = project_serial(index)
    assert serial > last
    assert root_serials(index)[1].keys() == before.keys()
    index.publish(wheel(version="2.0"))
    assert project_serial(index) > serial
    assert "cannot be read" in process.log
    assert "Traceback" not in process.log


def test_serials_are_deleted_with_their_repository(
    start_server: StartServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    index = Server(start_server("--data", data)).repository(dialect="pypi")
    index.publish(wheel())
    assert [*data.glob("**/serials/*/*.json")]
    index.api_json("DELETE")
    wait_until(
        lambda: not [*data.glob("**/serials/*/*.json")], "the serials of the repository to go"
    )
