"""Two servers, four writers each, and one of the servers killed on the way."""

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
from tests.support.object_stores.fixtures import seen_from
from tests.support.process import ServerProcess

WRITERS = 4
PROJECTS = 3


@dataclass(frozen=True)
class Told:
    """What a writer was told of one upload; None where nobody answered."""

    filename: str
    sha256: str
    status: int | None


@dataclass
class Writer:
    """A client with connections of its own, that goes to the other server when one is gone."""

    indexes: list[Index]
    told: list[Told] = field(default_factory=list)
    session: requests.Session = field(default_factory=requests.Session)

    def upload(self, archive: Archive) -> int | None:
        """Upload once; where nobody answers, the other server is asked from then on."""
        index = self.indexes[0]
        server = index.server
        try:
            own = Server.__new__(Server)
            own.__dict__.update(server.__dict__, session=self.session)
            status: int | None = Index(own, index.name, *index.auth).upload(archive).status_code
        except requests.RequestException:
            status = None
            self.indexes.reverse()
        self.told.append(Told(archive.filename, archive.sha256, status))
        return status


def storm(
    writers: list[Writer], write: Callable[[int, Writer], None], halfway: Callable[[], None]
) -> None:
    """Let all write at once; something happens when half of it is done."""
    with ThreadPoolExecutor(len(writers)) as pool:
        writing = [pool.submit(write, number, writer) for number, writer in enumerate(writers)]
        halfway()
        for each in writing:
            each.result()


def versions(count: int) -> list[str]:
    return [f"1.{number}" for number in range(count)]


@pytest.fixture
def uploads(request: pytest.FixtureRequest) -> int:
    """How many uploads each writer does."""
    count: int = request.config.getoption("--storm")
    return count


def writers_of(index: Index, other: Server) -> list[Writer]:
    elsewhere = seen_from(other, index)
    orders = ([index, elsewhere], [elsewhere, index])
    return [Writer(list(orders[number % 2])) for number in range(2 * WRITERS)]


def kill_when(process: ServerProcess, writers: list[Writer], done: int) -> None:
    """Kill a server when so many uploads were answered; nobody waits for anything but that."""
    enough = threading.Event()
    while not enough.wait(0.005):
        if sum(len(writer.told) for writer in writers) >= done:
            enough.set()
    process.kill()


def stored(index: Index) -> dict[str, str]:
    """The digest of each file on the pages, each once, and none whose bytes are others."""
    found: dict[str, str] = {}
    for project in index.json("/")["projects"]:
        page = index.get(f"/{project['name']}/", Accept=JSON).json()
        for file in page["files"]:
            assert file["filename"] not in found
            content = index.get(f"/{project['name']}/{file['filename']}").content
            assert hashlib.sha256(content).hexdigest() == file["hashes"]["sha256"]
            found[file["filename"]] = file["hashes"]["sha256"]
    return found


def test_one_winner_for_each_name_under_protection(
    index: Index, other: Server, uploads: int
) -> None:
    """Every writer wants every name, each with bytes of its own, in an order of its own."""
    index.set(overwrite_protection=True)
    writers = writers_of(index, other)

    def write(number: int, writer: Writer) -> None:
        names = [(f"demo{at}", version) for at in range(PROJECTS) for version in versions(uploads)]
        for project, version in random.Random(number).sample(names, uploads):  # noqa: S311 (no secret)
            archive = wheel(project, version, module=f"writer = {number}\n")
            if writer.upload(archive) is None:
                # As twine does: it was perhaps stored, or not.
                writer.upload(archive)

    storm(
        writers,
        write,
        partial(kill_when, other.process, writers, uploads * WRITERS),
    )
    found = stored(index)
    told = [each for writer in writers for each in writer.told]
    accepted = [each for each in told if each.status == 200]
    assert {each.filename for each in told} == set(found)
    assert {each.status for each in told} <= {200, 409, None}
    assert len({each.filename for each in accepted}) == len(accepted)
    for each in accepted:
        assert found[each.filename] == each.sha256
    # What nobody was told to be accepted was stored by an upload whose answer was lost.
    unanswered = {(each.filename, each.sha256) for each in told if each.status is None}
    rest = found.items() - {(each.filename, each.sha256) for each in accepted}
    assert rest <= unanswered


def test_nothing_is_lost_or_doubled_where_all_write_to_one_project(
    index: Index, other: Server, uploads: int
) -> None:
    """Uploads, overwrites and yanks of different files, which stand in one document."""
    writers = writers_of(index, other)
    expected: dict[str, tuple[str, str | bool]] = {}
    unsure: set[str] = set()

    def write(number: int, writer: Writer) -> None:
        random_ = random.Random(number)  # noqa: S311 (no secret)
        for version in versions(uploads // 2):
            name = f"{version}.{number}"
            archives = [wheel("demo", name), wheel("demo", name, module="x = 2\n")]
            for archive in archives[: random_.randint(1, 2)]:
                while writer.upload(archive) != 200:
                    assert writer.told[-1].status is None, writer.told[-1]
            yanked = yank(writer, archive.filename) if random_.random() < 0.5 else False
            if yanked is None:
                unsure.add(archive.filename)
            expected[archive.filename] = archive.sha256, yanked or False

    storm(
        writers,
        write,
        partial(kill_when, index.server.process, writers, uploads * WRITERS // 2),
    )
    kept = seen_from(other, index)
    page = kept.files()
    assert set(page) == set(expected)
    for filename, (sha256, yanked) in expected.items():
        assert page[filename]["hashes"]["sha256"] == sha256
        if filename not in unsure:
            assert page[filename]["yanked"] == yanked
    assert stored(kept) == {name: sha256 for name, (sha256, _) in expected.items()}


def yank(writer: Writer, filename: str) -> str | None:
    """Yank a file; None where nobody answered."""
    index = writer.indexes[0]
    path = f"/api/repositories/{index.name}/files/{filename}"
    try:
        answer = writer.session.patch(
            index.server.url + path,
            json={"yanked": "a reason"},
            auth=index.server.admin,
            timeout=60,
        )
    except requests.RequestException:
        writer.indexes.reverse()
        return None
    assert answer.status_code == 200, answer.text
    return "a reason"


def test_a_name_that_comes_and_goes_has_one_owner(one: Server, other: Server) -> None:
    """Of all that make or remove a user at once, one succeeds each time."""
    email = "contended@example.com"

    def everywhere(act: Callable[[Server], int]) -> list[int]:
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(act, [one, other] * 4))

    for _ in range(10):
        made = everywhere(lambda each: each_made(each, email))
        assert sorted(made) == [201] + [409] * 7
        gone = everywhere(
            lambda each: (
                requests.delete(
                    f"{each.url}/api/users/{email}", auth=each.admin, timeout=60
                ).status_code
            )
        )
        assert sorted(gone) == [204] + [404] * 7


def each_made(server: Server, email: str) -> int:
    return requests.post(
        f"{server.url}/api/users", json={"email": email}, auth=server.admin, timeout=60
    ).status_code
