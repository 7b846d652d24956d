"""The cache of core metadata: each file is read once, in bounded memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest

from cloudrepo_server.domain.core_metadata_cache import CoreMetadataCache
from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.models import File
from cloudrepo_server.specs import core_metadata
from cloudrepo_server.storage.local import LocalStorage
from tests.support.archives import wheel

HEAD = "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often the reader has read each metadata."""
    counts: Counter[bytes] = Counter()
    read = core_metadata.read_core_metadata

    def count(metadata: bytes) -> Mapping[str, object]:
        counts[metadata] += 1
        return read(metadata)

    monkeypatch.setattr(core_metadata, "read_core_metadata", count)
    return counts


async def store(storage: LocalStorage, metadata: str) -> str:
    writer = storage.new_blob("blobs/demo/")
    await writer.write(metadata.encode())
    await writer.finish()
    return writer.key


def test_concurrent_requests_read_the_metadata_of_a_file_once(reads: Counter[bytes]) -> None:
    async def main() -> None:
        organization = Organization(
            "acme", LocalStorage.in_memory(), admin_username="admin", admin_password="a-password"
        )
        repository = await organization.create_repository("demo")
        files: list[File] = []
        for version in ("1.0", "2.0"):
            archive = wheel("demo", version, more=f"Summary: Number {version}\n")
            staged = repository.stage(archive.filename, digests={})
            await staged.write(archive.data)
            declared = DeclaredMetadata()
            files.append(await repository.publish(staged, declared, uploader="ann@example.com"))
        for _ in range(2):
            # Each request opens the repository again.
            repositories = [await organization.repository("demo") for _ in range(20)]
            for file in files:
                found = await asyncio.gather(*(each.core_metadata(file) for each in repositories))
                assert {each["summary"] for each in found} == {f"Number {file.version}"}

    asyncio.run(main())
    assert set(reads.values()) == {1}
    assert len(reads) == 2


@pytest.mark.parametrize(
    "more",
    [
        "Summary: " + "x" * 30_000 + "\n",
        "Classifier: x\n" * 1000,
        "".join(f"Project-URL: {number}, x\n" for number in range(500)),
        "\n" + "x" * 30_000,
    ],
    ids=["text", "list", "dict", "description"],
)
def test_the_memory_of_cached_core_metadata_is_limited(more: str, reads: Counter[bytes]) -> None:
    async def main() -> None:
        storage = LocalStorage.in_memory()
        cache = CoreMetadataCache(storage, max_bytes=100_000)
        blobs = [await store(storage, f"{HEAD}Author: {number}\n{more}") for number in range(5)]
        for blob in blobs:
            await cache.read(blob)
        await cache.read(blobs[-1])
        assert set(reads.values()) == {1}
        # The oldest entry was dropped.
        await cache.read(blobs[0])
        assert sorted(reads.values()) == [1, 1, 1, 1, 2]

    asyncio.run(main())


def test_core_metadata_larger_than_the_cache_are_returned_and_displace_nothing(
    reads: Counter[bytes],
) -> None:
    async def main() -> None:
        storage = LocalStorage.in_memory()
        cache = CoreMetadataCache(storage, max_bytes=10_000)
        small = await store(storage, HEAD)
        large = await store(storage, HEAD + "\n" + "x" * 10_000)
        for _ in range(2):
            assert (await cache.read(small))["name"] == "demo"
            assert len((await cache.read(large))["description"]) == 10_000

    asyncio.run(main())
    assert sorted(reads.values()) == [1, 2]


def test_a_failed_read_is_not_cached() -> None:
    async def main() -> None:
        cache = CoreMetadataCache(LocalStorage.in_memory())
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                await cache.read("blobs/demo/missing")

    asyncio.run(main())
