"""Overwrite protection: what it refuses, what it lets through; a refusal leaves no trace."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import IO

import pytest

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import FileExistsInRepositoryError
from cloudrepo_server.limits import Limits
from cloudrepo_server.specs.archives import read_archive
from cloudrepo_server.specs.filenames import ArchiveMetadata, DistributionName
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import Archive, sdist, wheel
from tests.support.forms import encode, fields
from tests.support.index import Index
from tests.support.raw import connect, request
from tests.support.wait import wait_until

AT_ONCE = 20


def variants(count: int, *, padding: int = 0) -> list[Archive]:
    """Files of one name, each with bytes of its own."""
    return [wheel(module=f"x = {number}\n", padding=padding) for number in range(count)]


def upload_at_once(index: Index, archives: list[Archive]) -> list[int]:
    """The statuses of uploads that begin together, each on a connection of its own."""
    together = threading.Barrier(len(archives))

    def upload(archive: Archive) -> int:
        form = encode(fields(archive))
        headers = {**index.authorization, "Content-Type": form.content_type}
        whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
        with connect(index.url) as connection:
            connection.send(whole[:-1])
            together.wait()
            connection.send(whole[-1:])
            return connection.read_response().status

    with ThreadPoolExecutor(len(archives)) as pool:
        return list(pool.map(upload, archives))


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_without_protection_the_last_upload_counts(index: Index, padding: int) -> None:
    for archive in variants(3, padding=padding):
        assert index.upload(archive).status_code == 200
        assert index.file(archive).content == archive.data
        assert index.files()[archive.filename]["hashes"] == {"sha256": archive.sha256}
    assert len(index.files()) == 1


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_with_protection_the_first_upload_counts(protected: Index, padding: int) -> None:
    first, *others = variants(3, padding=padding)
    protected.publish(first)
    for archive in (*others, first):
        answer = protected.upload(archive)
        assert answer.status_code == 409
        assert f"already exists: {archive.filename}" in answer.reason
    assert protected.file(first).content == first.data


def test_protection_is_of_file_names_and_not_of_versions(protected: Index) -> None:
    protected.publish(wheel(), sdist(), wheel(version="2.0"), sdist(ending=".zip"))
    other_tag = wheel(filename="demo-1.0-py2.py3-none-any.whl")
    assert protected.upload(other_tag).status_code == 200
    assert len(protected.files()) == 5


def test_the_name_is_taken_within_its_project_whatever_the_spelling(protected: Index) -> None:
    archive = wheel("foo_bar")
    protected.publish(archive)
    for name in ("Foo.Bar", "foo-bar", "FOO_BAR"):
        assert protected.upload(archive, name=name).status_code == 409
    # Another spelling is another file name.
    other = archive.named("Foo_Bar-1.0-py3-none-any.whl")
    assert protected.upload(other, name="foo-bar").status_code == 200


def test_protection_is_switched_in_the_middle(index: Index) -> None:
    first, second, third, fourth = variants(4)
    statuses = [index.upload(first).status_code, index.upload(second).status_code]
    index.set(overwrite_protection=True)
    statuses += [index.upload(third).status_code, index.upload(wheel("new")).status_code]
    index.set(overwrite_protection=False)
    statuses.append(index.upload(fourth).status_code)
    assert statuses == [200, 200, 409, 200, 200]
    assert index.file(fourth).content == fourth.data


@pytest.mark.parametrize("protection", [True, False])
@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_what_counts_is_the_setting_when_the_upload_ends(
    index: Index, padding: int, *, protection: bool
) -> None:
    first, second = variants(2, padding=padding)
    index.publish(first)
    index.set(overwrite_protection=not protection)
    form = encode(fields(second))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    with connect(index.url) as connection:
        connection.send(whole[:-100])
        # An answer on another connection shows that the server has turned to this one before.
        index.get("/")
        index.set(overwrite_protection=protection)
        connection.send(whole[-100:])
        assert connection.read_response().status == (409 if protection else 200)
    assert index.file(first).content == (first if protection else second).data


@pytest.mark.parametrize("padding", [0, 1 << 20])
def test_of_many_at_once_one_wins_under_protection(protected: Index, padding: int) -> None:
    archives = variants(AT_ONCE, padding=padding)
    before = protected.server.blobs()
    statuses = upload_at_once(protected, archives)
    assert sorted(statuses) == [200] + [409] * (AT_ONCE - 1)
    winner = archives[statuses.index(200)]
    assert protected.file(winner).content == winner.data
    assert protected.files()[winner.filename]["hashes"] == {"sha256": winner.sha256}
    wait_until(
        lambda: len(protected.server.blobs() - before) == 2,
        "the losers' bytes to be gone: a wheel and its metadata stay",
    )


def test_of_many_at_once_all_are_accepted_without_protection(index: Index) -> None:
    archives = variants(AT_ONCE)
    assert upload_at_once(index, archives) == [200] * AT_ONCE
    served = index.file(archives[0]).content
    assert served in {archive.data for archive in archives}
    digest = index.files()[archives[0].filename]["hashes"]["sha256"]
    assert digest == Archive("", served).sha256


def test_many_files_of_one_project_at_once_are_all_there(protected: Index) -> None:
    archives = [wheel(version=f"{number}.0") for number in range(AT_ONCE)]
    assert upload_at_once(protected, archives) == [200] * AT_ONCE
    assert set(protected.files()) == {archive.filename for archive in archives}


def test_what_counts_is_the_setting_when_the_file_becomes_visible(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even the time that it takes to read an archive lets a file slip through."""

    async def story() -> None:
        organization = Organization(
            "example", LocalStorage.in_memory(), admin_username="a", admin_password="b"
        )
        loop = asyncio.get_running_loop()

        async def publish(archive: Archive) -> None:
            repository = await organization.repository("demo")
            incoming = repository.stage(archive.filename, digests={})
            await incoming.write(archive.data)
            await repository.publish(incoming, DeclaredMetadata(), uploader="somebody")

        def protect_and_read(
            name: DistributionName, opened: IO[bytes], limits: Limits
        ) -> ArchiveMetadata:
            protect = organization.update_repository("demo", overwrite_protection=True)
            asyncio.run_coroutine_threadsafe(protect, loop).result()
            return read_archive(name, opened, limits)

        await organization.create_repository("demo")
        first, second = variants(2, padding=1 << 20)
        await publish(first)
        monkeypatch.setattr("cloudrepo_server.specs.archives.read_archive", protect_and_read)
        with pytest.raises(FileExistsInRepositoryError, match="already exists"):
            await publish(second)

    asyncio.run(story())


def test_an_upload_into_a_repository_that_is_deleted_meanwhile_is_404(index: Index) -> None:
    form = encode(fields(wheel(padding=2 << 20)))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    with connect(index.url) as connection:
        connection.send(whole[:-100])
        index.get("/")
        index.done("DELETE")
        again = index.server.repository(index.name)
        connection.send(whole[-100:])
        assert connection.read_response().status == 404
    assert again.json("/")["projects"] == []
