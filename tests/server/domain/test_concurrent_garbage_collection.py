"""Garbage collection of a shared store while another server publishes a file.

The tests run every interleaving of the steps of a garbage collection with the two steps of an
upload that matter: it makes the file visible, and checks afterwards that its content still exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from obstore.store import MemoryStore

from cloudrepo_server.domain.declared_metadata import DeclaredMetadata
from cloudrepo_server.domain.garbage import collect_garbage
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import NotFoundError, StagedFileLostError
from cloudrepo_server.keys import BLOBS, PROJECTS
from cloudrepo_server.models import Document, ProjectDocument
from cloudrepo_server.storage import StoredObject
from cloudrepo_server.storage.documents import D
from cloudrepo_server.storage.shared import SharedStorage
from tests.support.archives import Archive, wheel

OLD, NEW = wheel(), wheel(module="x = 2\n")


@dataclass
class Steps:
    """Runs an action of the test before each step of a garbage collection."""

    before: Callable[[int], Awaitable[None]]
    taken: int = 0

    async def next(self) -> None:
        await self.before(self.taken)
        self.taken += 1


class SweepStorage(SharedStorage):
    """The store as a garbage collection uses it, which pauses before each request."""

    steps: Steps
    clock_ahead: float = 0.0

    async def current_time(self) -> float:
        return await super().current_time() + self.clock_ahead

    async def list_objects(self, prefix: str) -> AsyncIterator[list[StoredObject]]:
        async for batch in super().list_objects(prefix):
            yield batch
        if prefix.startswith((PROJECTS, BLOBS)):
            await self.steps.next()

    async def read_uncached(self, key: str, type_: type[D]) -> D | None:
        document = await super().read_uncached(key, type_)
        await self.steps.next()
        return document

    async def announce_deletion(self, repository_id: str, *, written_before: float) -> str:
        await self.steps.next()
        announcement = await super().announce_deletion(repository_id, written_before=written_before)
        await self.steps.next()
        return announcement

    async def withdraw_deletion(self, announcement: str) -> None:
        await self.steps.next()
        await super().withdraw_deletion(announcement)
        await self.steps.next()

    async def delete_many(self, keys: Sequence[str]) -> int:
        await self.steps.next()
        return await super().delete_many(keys)


@dataclass
class Gate:
    """A place where an upload waits until the test lets it continue."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def pass_through(self) -> None:
        self.reached.set()
        await self.opened.wait()


class UploadStorage(SharedStorage):
    """The store as an upload uses it, which pauses before and after its change of the project."""

    before_change: Gate
    after_change: Gate
    checked: asyncio.Event

    async def change(
        self,
        key: str,
        type_: type[D],
        change: Callable[[D | None], D | None],
        *,
        prepare: Callable[[D | None], Awaitable[None]] | None = None,
    ) -> None:
        pauses = cast("type[Document]", type_) is ProjectDocument
        if pauses:
            await self.before_change.pass_through()
        await super().change(key, type_, change, prepare=prepare)
        if pauses:
            await self.after_change.pass_through()

    async def announced_deletion(self, repository_id: str) -> float:
        announced = await super().announced_deletion(repository_id)
        if self.after_change.opened.is_set():
            self.checked.set()
        return announced


def organization_of(storage: SharedStorage) -> Organization:
    return Organization("example", storage, admin_username="a", admin_password="b")


async def publish(organization: Organization, archive: Archive) -> None:
    repository = await organization.repository("demo")
    staged = repository.stage(archive.filename, digests={})
    await staged.write(archive.data)
    await repository.publish(staged, DeclaredMetadata(), uploader="ann@example.com")


async def stored_content(organization: Organization) -> bytes | None:
    """Return the content of the file that the repository lists, or None if it lists none."""
    repository = await organization.repository("demo")
    try:
        _, file = await repository.find(NEW.filename)
    except NotFoundError:
        return None
    await (await repository.metadata(file)).read()
    return await repository.content(file).read()


def run_interleavings(existing: Archive | None, *, clock_ahead: float, grace: float) -> set[bool]:
    """Run every interleaving, and return whether the uploads succeeded."""
    outcomes = set()
    change_at, steps = 0, 1
    while change_at <= steps:
        check_at = change_at
        while check_at <= steps:
            succeeded, steps = asyncio.run(
                run_interleaving(
                    existing,
                    change_at=change_at,
                    check_at=check_at,
                    clock_ahead=clock_ahead,
                    grace=grace,
                )
            )
            outcomes.add(succeeded)
            check_at += 1
        change_at += 1
    return outcomes


async def run_interleaving(
    existing: Archive | None, *, change_at: int, check_at: int, clock_ahead: float, grace: float
) -> tuple[bool, int]:
    """Run an upload and a garbage collection; return whether the upload succeeded, and the steps.

    Args:
        existing: the file that the upload replaces, or None.
        change_at: the step of the garbage collection before which the upload changes the project.
        check_at: the step before which the upload continues after the change.
        clock_ahead: the age of the upload's content in seconds, by the clock of the store.
        grace: the pause of the garbage collection before it deletes anything.
    """
    # It supports the conditional writes of a remote store.
    store: Any = MemoryStore()
    reader = organization_of(SharedStorage(documents=store, blobs=store))
    await reader.create_repository("demo")
    if existing is not None:
        await publish(reader, existing)
    upload_storage = UploadStorage(documents=store, blobs=store)
    upload_storage.checked = asyncio.Event()
    gates = upload_storage.before_change, upload_storage.after_change = Gate(), Gate()
    uploader = organization_of(upload_storage)
    upload = asyncio.create_task(publish(uploader, NEW))
    await gates[0].reached.wait()

    async def continue_upload(gate: Gate, until: asyncio.Event) -> None:
        gate.opened.set()
        reached = asyncio.create_task(until.wait())
        await asyncio.wait({reached, upload}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()

    async def before(step: int) -> None:
        if step == change_at:
            await continue_upload(gates[0], gates[1].reached)
        if step == check_at:
            await continue_upload(gates[1], upload_storage.checked)

    sweep_storage = SweepStorage(documents=store, blobs=store)
    sweep_storage.steps = Steps(before)
    sweep_storage.clock_ahead = clock_ahead
    await collect_garbage(sweep_storage, grace=grace)
    for gate in gates:
        gate.opened.set()
    await asyncio.wait({upload})
    error = upload.exception()
    assert error is None or isinstance(error, StagedFileLostError), error
    content = await stored_content(reader)
    if error is None:
        assert content == NEW.data, "an accepted upload lost its content"
    else:
        assert content == (existing and existing.data), "a failed upload changed the repository"
    for each in (reader, uploader):
        await each.close()
    await sweep_storage.close()
    return error is None, sweep_storage.steps.taken


@pytest.mark.parametrize("grace", [0.0, 0.001], ids=["without-grace", "with-grace"])
@pytest.mark.parametrize("existing", [None, OLD], ids=["new-file", "replaced-file"])
def test_no_interleaving_with_a_slow_upload_loses_an_accepted_file(
    monkeypatch: pytest.MonkeyPatch, existing: Archive | None, grace: float
) -> None:
    """The upload took an hour, so the garbage collection may delete its content."""
    monkeypatch.setattr("cloudrepo_server.domain.staged_file.SAFE_AGE_SECONDS", 0.0)
    monkeypatch.setattr("cloudrepo_server.domain.staged_file._POLL_SECONDS", 0.001)
    outcomes = run_interleavings(existing, clock_ahead=3600, grace=grace)
    assert outcomes == {True, False}, "no interleaving made the garbage collection delete content"


@pytest.mark.parametrize("existing", [None, OLD], ids=["new-file", "replaced-file"])
def test_no_interleaving_makes_a_quick_upload_fail(existing: Archive | None) -> None:
    """Even a garbage collection of objects of any age keeps what is a few seconds old."""
    assert run_interleavings(existing, clock_ahead=0.0, grace=0.0) == {True}
