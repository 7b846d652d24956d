"""Overwrite protection: rejects uploads that would replace an existing file, and no others."""

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

CONCURRENT = 20


def variants(count: int, *, padding: int = 0) -> list[Archive]:
    """Return files with the same name and different content."""
    return [wheel(module=f"x = {number}\n", padding=padding) for number in range(count)]


def upload_concurrently(index: Index, archives: list[Archive]) -> list[int]:
    """Upload on several connections at the same time; return the statuses."""
    barrier = threading.Barrier(len(archives))

    def upload(archive: Archive) -> int:
        form = encode(fields(archive))
        headers = {**index.authorization, "Content-Type": form.content_type}
        whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
        with connect(index.url) as connection:
            connection.send(whole[:-1])
            barrier.wait()
            connection.send(whole[-1:])
            return connection.read_response().status

    with ThreadPoolExecutor(len(archives)) as pool:
        return list(pool.map(upload, archives))


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_without_protection_each_upload_replaces_the_file(index: Index, padding: int) -> None:
    for archive in variants(3, padding=padding):
        assert index.upload(archive).status_code == 200
        assert index.file(archive).content == archive.data
        assert index.files()[archive.filename]["hashes"] == {"sha256": archive.sha256}
    assert len(index.files()) == 1


@pytest.mark.parametrize("padding", [0, 2 << 20])
def test_with_protection_the_first_file_stays(protected: Index, padding: int) -> None:
    first, *others = variants(3, padding=padding)
    protected.publish(first)
    for archive in (*others, first):
        response = protected.upload(archive)
        assert response.status_code == 409
        assert f"already exists: {archive.filename}" in response.reason
    assert protected.file(first).content == first.data


def test_protection_compares_file_names_not_versions(protected: Index) -> None:
    protected.publish(wheel(), sdist(), wheel(version="2.0"), sdist(ending=".zip"))
    other_tag = wheel(filename="demo-1.0-py2.py3-none-any.whl")
    assert protected.upload(other_tag).status_code == 200
    assert len(protected.files()) == 5


def test_protection_ignores_the_spelling_of_the_project(protected: Index) -> None:
    archive = wheel("foo_bar")
    protected.publish(archive)
    for name in ("Foo.Bar", "foo-bar", "FOO_BAR"):
        assert protected.upload(archive, name=name).status_code == 409
    # A different spelling is a different file name.
    other = archive.named("Foo_Bar-1.0-py3-none-any.whl")
    assert protected.upload(other, name="foo-bar").status_code == 200


def test_switching_protection_affects_the_next_upload(index: Index) -> None:
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
def test_the_setting_at_the_end_of_an_upload_applies_to_it(
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
        # A response on another connection shows that the server has read this one before.
        index.get("/")
        index.set(overwrite_protection=protection)
        connection.send(whole[-100:])
        assert connection.read_response().status == (409 if protection else 200)
    assert index.file(first).content == (first if protection else second).data


@pytest.mark.parametrize("padding", [0, 1 << 20])
def test_exactly_one_concurrent_upload_succeeds_under_protection(
    protected: Index, padding: int
) -> None:
    archives = variants(CONCURRENT, padding=padding)
    before = protected.server.blobs()
    statuses = upload_concurrently(protected, archives)
    assert sorted(statuses) == [200] + [409] * (CONCURRENT - 1)
    published = archives[statuses.index(200)]
    assert protected.file(published).content == published.data
    assert protected.files()[published.filename]["hashes"] == {"sha256": published.sha256}
    wait_until(
        lambda: len(protected.server.blobs() - before) == 2,
        "the content of rejected uploads to be deleted: one wheel and its metadata stay",
    )


def test_all_concurrent_uploads_succeed_without_protection(index: Index) -> None:
    archives = variants(CONCURRENT)
    assert upload_concurrently(index, archives) == [200] * CONCURRENT
    served = index.file(archives[0]).content
    assert served in {archive.data for archive in archives}
    digest = index.files()[archives[0].filename]["hashes"]["sha256"]
    assert digest == Archive("", served).sha256


def test_concurrent_uploads_of_different_files_all_succeed(protected: Index) -> None:
    archives = [wheel(version=f"{number}.0") for number in range(CONCURRENT)]
    assert upload_concurrently(protected, archives) == [200] * CONCURRENT
    assert set(protected.files()) == {archive.filename for archive in archives}


def test_protection_switched_on_while_the_archive_is_read_applies_to_the_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        organization = Organization(
            "example", LocalStorage.in_memory(), admin_username="a", admin_password="b"
        )
        loop = asyncio.get_running_loop()

        async def publish(archive: Archive) -> None:
            repository = await organization.repository("demo")
            staged = repository.stage(archive.filename, digests={})
            await staged.write(archive.data)
            await repository.publish(staged, DeclaredMetadata(), uploader="ann@example.com")

        def switch_on_and_read(
            name: DistributionName, opened: IO[bytes], *, limits: Limits, checks_identity: bool
        ) -> ArchiveMetadata:
            change = organization.update_repository("demo", overwrite_protection=True)
            asyncio.run_coroutine_threadsafe(change, loop).result()
            return read_archive(name, opened, limits=limits, checks_identity=checks_identity)

        await organization.create_repository("demo")
        first, second = variants(2, padding=1 << 20)
        await publish(first)
        monkeypatch.setattr("cloudrepo_server.specs.archives.read_archive", switch_on_and_read)
        with pytest.raises(FileExistsInRepositoryError, match="already exists"):
            await publish(second)

    asyncio.run(scenario())


def test_an_upload_is_404_if_its_repository_is_deleted_meanwhile(index: Index) -> None:
    form = encode(fields(wheel(padding=2 << 20)))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    with connect(index.url) as connection:
        connection.send(whole[:-100])
        index.get("/")
        index.api_json("DELETE")
        new = index.server.repository(index.name)
        connection.send(whole[-100:])
        assert connection.read_response().status == 404
    assert new.json("/")["projects"] == []
