"""Concurrent writers on two servers that share a store. One of the servers is killed meanwhile."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import pytest
import requests

from tests.support.archives import Archive, wheel
from tests.support.index import JSON, Index, Server
from tests.support.object_stores.fixtures import index_through
from tests.support.process import ServerProcess

WRITERS_PER_SERVER = 4
PROJECTS = 3


@dataclass(frozen=True)
class Upload:
    """One upload, and the status of its response; None if there was no response."""

    filename: str
    sha256: str
    status: int | None


@dataclass
class Writer:
    """A client with connections of its own, which changes servers after a lost connection."""

    indexes: list[Index]
    uploads: list[Upload] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def upload(self, archive: Archive) -> int | None:
        """Upload once, and record the status. Without a response, switch to the other server."""
        index = self.indexes[0]
        server = index.server
        try:
            own = Server.__new__(Server)
            own.__dict__.update(server.__dict__, session=self.session)
            status: int | None = Index(own, index.name, *index.auth).upload(archive).status_code
        except requests.RequestException:
            status = None
            self.indexes.reverse()
        self.uploads.append(Upload(archive.filename, archive.sha256, status))
        return status

    def yank(self, filename: str) -> str | None:
        """Yank a file, and return the reason; None if there was no response."""
        index = self.indexes[0]
        path = f"/api/repositories/{index.name}/files/{filename}"
        try:
            response = self.session.patch(
                index.server.url + path,
                json={"yanked": "a reason"},
                auth=index.server.admin,
                timeout=60,
            )
        except requests.RequestException:
            self.indexes.reverse()
            return None
        assert response.status_code == 200, response.text
        return "a reason"


def write_concurrently(
    writers: list[Writer], write: Callable[[int, Writer], None], meanwhile: Callable[[], None]
) -> None:
    """Run `write` for all writers at once, and `meanwhile` beside them."""
    with ThreadPoolExecutor(len(writers)) as pool:
        writing = [pool.submit(write, number, writer) for number, writer in enumerate(writers)]
        meanwhile()
        for each in writing:
            each.result()


def versions(count: int) -> list[str]:
    return [f"1.{number}" for number in range(count)]


@pytest.fixture
def uploads_per_writer(request: pytest.FixtureRequest) -> int:
    count: int = request.config.getoption("--uploads-per-writer")
    return count


def create_writers(index: Index, second_server: Server) -> list[Writer]:
    """Return writers; half of them start with the first server, half with the second."""
    index_on_second = index_through(second_server, index)
    orders = ([index, index_on_second], [index_on_second, index])
    return [Writer(list(orders[number % 2])) for number in range(2 * WRITERS_PER_SERVER)]


def kill_after(process: ServerProcess, writers: list[Writer], uploads: int) -> None:
    """Kill a server once all writers together have made this many uploads."""
    done = threading.Event()
    while not done.wait(0.005):
        if sum(len(writer.uploads) for writer in writers) >= uploads:
            done.set()
    process.kill()


def stored_files(index: Index) -> dict[str, str]:
    """Return the digest of each listed file, after checking that each is listed once and whole."""
    found: dict[str, str] = {}
    for project in index.json("/")["projects"]:
        page = index.get(f"/{project['name']}/", Accept=JSON).json()
        for file in page["files"]:
            assert file["filename"] not in found
            content = index.get(f"/{project['name']}/{file['filename']}").content
            assert hashlib.sha256(content).hexdigest() == file["hashes"]["sha256"]
            found[file["filename"]] = file["hashes"]["sha256"]
    return found


def test_exactly_one_upload_of_each_file_name_succeeds_under_overwrite_protection(
    index: Index, second_server: Server, uploads_per_writer: int
) -> None:
    """Every writer uploads every file name, in a different order and with different content."""
    index.set(overwrite_protection=True)
    writers = create_writers(index, second_server)

    def write(number: int, writer: Writer) -> None:
        names = [
            (f"demo{project}", version)
            for project in range(PROJECTS)
            for version in versions(uploads_per_writer)
        ]
        sample = random.Random(number).sample(names, uploads_per_writer)  # noqa: S311 (no secret)
        for project, version in sample:
            archive = wheel(project, version, module=f"writer = {number}\n")
            if writer.upload(archive) is None:
                # Retry once, as twine does: the first upload may have been stored.
                writer.upload(archive)

    write_concurrently(
        writers,
        write,
        partial(
            kill_after, second_server.process, writers, uploads_per_writer * WRITERS_PER_SERVER
        ),
    )
    found = stored_files(index)
    uploads = [each for writer in writers for each in writer.uploads]
    accepted = [each for each in uploads if each.status == 200]
    assert {each.status for each in uploads} <= {200, 409, None}
    assert {each.filename for each in uploads} == set(found)
    assert len({each.filename for each in accepted}) == len(accepted)
    for each in accepted:
        assert found[each.filename] == each.sha256
    # All other files were stored by uploads whose response was lost.
    without_response = {(each.filename, each.sha256) for each in uploads if each.status is None}
    others = found.items() - {(each.filename, each.sha256) for each in accepted}
    assert others <= without_response


def test_concurrent_changes_of_one_project_are_neither_lost_nor_duplicated(
    index: Index, second_server: Server, uploads_per_writer: int
) -> None:
    """Uploads, overwrites and yanks of different files, which share one document."""
    writers = create_writers(index, second_server)
    expected: dict[str, tuple[str, str | bool]] = {}
    unknown_yanks: set[str] = set()

    def write(number: int, writer: Writer) -> None:
        random_ = random.Random(number)  # noqa: S311 (no secret)
        for version in versions(uploads_per_writer // 2):
            name = f"{version}.{number}"
            archives = [wheel("demo", name), wheel("demo", name, module="x = 2\n")]
            for archive in archives[: random_.randint(1, 2)]:
                while writer.upload(archive) != 200:
                    assert writer.uploads[-1].status is None, writer.uploads[-1]
            yanked = writer.yank(archive.filename) if random_.random() < 0.5 else False
            if yanked is None:
                unknown_yanks.add(archive.filename)
            expected[archive.filename] = archive.sha256, yanked or False

    write_concurrently(
        writers,
        write,
        partial(
            kill_after,
            index.server.process,
            writers,
            uploads_per_writer * WRITERS_PER_SERVER // 2,
        ),
    )
    remaining = index_through(second_server, index)
    page = remaining.files()
    assert set(page) == set(expected)
    for filename, (sha256, yanked) in expected.items():
        assert page[filename]["hashes"]["sha256"] == sha256
        if filename not in unknown_yanks:
            assert page[filename]["yanked"] == yanked
    assert stored_files(remaining) == {name: sha256 for name, (sha256, _) in expected.items()}


def test_exactly_one_of_several_concurrent_creations_or_deletions_of_a_user_succeeds(
    first_server: Server, second_server: Server
) -> None:
    email = "contended@example.com"

    def run_concurrently(act: Callable[[Server], int]) -> list[int]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(act, [first_server, second_server] * 4))

    for _ in range(10):
        created = run_concurrently(lambda server: create_user(server, email))
        assert sorted(created) == [201] + [409] * 7
        deleted = run_concurrently(lambda server: delete_user(server, email))
        assert sorted(deleted) == [204] + [404] * 7


def create_user(server: Server, email: str) -> int:
    return requests.post(
        f"{server.url}/api/users", json={"email": email}, auth=server.admin, timeout=60
    ).status_code


def delete_user(server: Server, email: str) -> int:
    return requests.delete(
        f"{server.url}/api/users/{email}", auth=server.admin, timeout=60
    ).status_code
