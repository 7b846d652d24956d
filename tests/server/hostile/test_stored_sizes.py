"""What clients store is bounded: every field of a document, and every document."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import obstore
import pytest
from obstore.store import MemoryStore

from cloudrepo_server.errors import DamagedDocumentError, TooLargeError
from cloudrepo_server.keys import project_key
from cloudrepo_server.limits import (
    MAX_ATTESTATIONS,
    MAX_DOCUMENT,
    MAX_PROJECT_NAME,
    MAX_READ_DOCUMENT,
    MAX_REQUIRES_PYTHON,
    MAX_STATED_REASON,
)
from cloudrepo_server.models import ProjectDocument
from cloudrepo_server.process.server import running_server
from cloudrepo_server.process.settings import ServerSettings
from cloudrepo_server.storage import Storage
from cloudrepo_server.storage.local import LocalStorage
from cloudrepo_server.storage.shared import SharedStorage
from tests.support.archives import Archive, core_metadata, wheel
from tests.support.forms import encode, fields
from tests.support.hostile import VALID_FORM, assert_rejected, head
from tests.support.index import Index, Server
from tests.support.raw import basic, connect, exchange, request
from tests.support.server_fixtures import StartServer

EMAIL, PASSPHRASE = "ann@example.com", "correct horse battery staple"

pytestmark = pytest.mark.usefixtures("server_stays_clean")


def with_requires_python(size: int) -> bytes:
    # A value that begins with `>=3` and has this many characters.
    value = ">=3" + "x" * (size - 3)
    return core_metadata("demo", "1.0").replace(
        b"\nVersion", f"\nRequires-Python: {value}\nVersion".encode()
    )


def test_the_size_of_requires_python_is_limited(victim: Index) -> None:
    response = victim.upload(wheel(metadata=with_requires_python(MAX_REQUIRES_PYTHON + 1)))
    assert response.status_code == 400
    assert str(MAX_REQUIRES_PYTHON) in response.reason


@pytest.mark.parametrize(
    "content", ["y" * MAX_ATTESTATIONS, "\U0001f600" * (MAX_ATTESTATIONS // 4)], ids=["y", "emoji"]
)
def test_the_size_of_attestations_is_limited(victim: Index, content: str) -> None:
    text = '[{"x": "' + content + '"}]'
    response = victim.upload(wheel(), attestations=text)
    assert response.status_code == 413
    assert str(MAX_ATTESTATIONS) in response.reason


def in_memory(kind: str, store: Any = None) -> Storage:  # noqa: ANN401 (see below)
    """Return storage of this kind in memory."""
    # A store in memory supports the conditional writes of a remote store.
    store = store or MemoryStore()
    return LocalStorage(store) if kind == "local" else SharedStorage(documents=store, blobs=store)


@pytest.mark.parametrize("kind", ["local", "shared"])
def test_the_size_of_a_document_is_limited(kind: str) -> None:
    key = project_key("0123456789abcdef", "demo")
    small = ProjectDocument(name="demo", deleted=("x" * (MAX_DOCUMENT // 2),))
    large = ProjectDocument(name="demo", deleted=("x" * MAX_DOCUMENT,))

    async def scenario() -> None:
        storage = in_memory(kind)
        await storage.change(key, ProjectDocument, lambda _: small)
        with pytest.raises(TooLargeError, match=str(MAX_DOCUMENT)):
            await storage.change(key, ProjectDocument, lambda _: large)
        stored = await storage.read(key, ProjectDocument)
        assert stored is not None
        assert stored.deleted == small.deleted
        await storage.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["local", "shared"])
def test_a_document_that_is_too_large_to_be_read_is_damaged(kind: str) -> None:
    key = project_key("0123456789abcdef", "demo")
    empty = msgspec.json.encode(ProjectDocument(name="demo", status_reason=""))
    reason = "x" * (MAX_READ_DOCUMENT - len(empty))

    async def scenario() -> None:
        store: Any = MemoryStore()
        storage = in_memory(kind, store)
        for excess in (0, 1):
            project = ProjectDocument(name="demo", status_reason=reason + "x" * excess)
            encoded = msgspec.json.encode(project)
            await obstore.put_async(store, key, encoded, use_multipart=False)
            assert len(encoded) == MAX_READ_DOCUMENT + excess
            if excess:
                with pytest.raises(DamagedDocumentError, match=str(MAX_READ_DOCUMENT)):
                    await storage.read(key, ProjectDocument)
            else:
                assert await storage.read(key, ProjectDocument) == project
        await storage.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("kind", ["local", "shared"])
def test_a_large_document_of_an_earlier_version_can_be_read_and_become_smaller(
    monkeypatch: pytest.MonkeyPatch, kind: str, *, cached: bool
) -> None:
    key = project_key("0123456789abcdef", "demo")

    async def resize(storage: Storage, count: int) -> None:
        after = ProjectDocument(name="demo", deleted=("x" * 100_000,) * count)
        await storage.change(key, ProjectDocument, lambda _: after)

    async def scenario() -> None:
        store: Any = MemoryStore()
        storage = in_memory(kind, store)
        await resize(storage, 4)
        monkeypatch.setattr("cloudrepo_server.storage.documents.MAX_DOCUMENT", 200_000)
        storage = storage if cached else in_memory(kind, store)
        with pytest.raises(TooLargeError, match="the limit is 200000 bytes"):
            await resize(storage, 5)
        for count in (3, 1):
            await resize(storage, count)
            stored = await storage.read(key, ProjectDocument)
            assert stored is not None
            assert len(stored.deleted) == count
        with pytest.raises(TooLargeError, match="the limit is 200000 bytes"):
            await resize(storage, 2)
        await storage.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("cloudrepo_server.storage.documents.MAX_DOCUMENT", 2000),
        ("cloudrepo_server.domain.overwrite.MAX_PROJECT_FILES", 4),
    ],
)
def test_an_upload_that_would_make_its_project_too_large_is_rejected(
    monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    monkeypatch.setattr(name, limit)

    async def scenario() -> None:
        async with running_server(ServerSettings()) as server, aiohttp.ClientSession() as client:
            await server.organization.users.create(EMAIL, passphrase=PASSPHRASE)
            await server.organization.create_repository("demo")
            repository = f"{server.url}/repositories/demo"
            headers = {"Authorization": basic(EMAIL, PASSPHRASE)}
            statuses = []
            for number in range(20):
                form = encode(fields(wheel(version=f"{number}.0")))
                typed = {**headers, "Content-Type": form.content_type}
                async with client.post(repository, data=form.body, headers=typed) as response:
                    statuses.append(response.status)
            accepted = statuses.count(200)
            assert statuses == [200] * accepted + [413] * (20 - accepted)
            assert 0 < accepted < 20
            # A file may be replaced.
            form = encode(fields(wheel(version="0.0")))
            typed = {**headers, "Content-Type": form.content_type}
            async with client.post(repository, data=form.body, headers=typed) as response:
                assert response.status == 200
            async with client.get(f"{repository}/demo/", headers=headers) as response:
                assert (await response.text()).count("</a>") == accepted

    asyncio.run(scenario())


def test_the_size_of_a_reason_is_limited(server: Server) -> None:
    index = server.repository()
    index.publish(wheel())
    reason = "x" * (MAX_STATED_REASON + 1)
    for path, body in (
        (f"/files/{wheel().filename}", {"yanked": reason}),
        ("/projects/demo", {"status": "archived", "reason": reason}),
    ):
        response = index.api("PATCH", path, json=body)
        assert (response.status_code, str(MAX_STATED_REASON) in response.text) == (400, True)
    index.api_json("DELETE")


@pytest.mark.parametrize("digits", [256, 5000, 1_000_000])
@pytest.mark.parametrize("sign", ["", "1.", "1+"])
def test_a_long_version_is_rejected(victim: Index, digits: int, sign: str) -> None:
    response = victim.upload(wheel(), version=sign + "9" * digits)
    assert response.status_code == 400
    metadata = core_metadata("demo", sign + "9" * min(digits, 5000))
    assert victim.upload(wheel(metadata=metadata), version=None).status_code == 400


@pytest.mark.parametrize("dialect", ["modern", "cloudrepo"])
def test_names_of_any_length_cause_no_server_error(
    start_server: StartServer, tmp_path: Path, dialect: str
) -> None:
    """With `--data`, names are parts of the names of files, which have at most 255 characters."""
    server = Server(start_server("--data", tmp_path / "data"))
    for length in (MAX_PROJECT_NAME, MAX_PROJECT_NAME + 1, 246, 255, 5000):
        index = server.repository(dialect=dialect)
        name = "a" * length
        any_file = Archive("notes-1.0.txt", wheel().data)
        archive = any_file if dialect == "cloudrepo" else wheel(name, "1")
        status = index.upload(archive, name=name).status_code
        fits = length <= MAX_PROJECT_NAME and len(archive.filename) <= 255
        assert status == (200 if fits else 400), length
        for below in (f"/{name}/", f"/{name}/{archive.filename[:100]}", f"/simple/{name}/"):
            assert index.get(below).status_code in (200, 404), (length, below)
        for path in (f"/api/repositories/{name}", f"/api/users/{name}", f"/api/tokens/{name}"):
            for method in ("GET", "DELETE"):
                response = server.request(method, path, auth=server.admin)
                assert response.status_code < 500, (length, path)
        assert server.request("GET", f"/repositories/{name}/").status_code < 500
        assert index.get("/", Authorization=None).status_code == 200
        for login in (("__token__", f"{name}.{name}"), (name, name), ("__token__", f"cr-{name}")):
            response = index.request("GET", "/", auth=login)
            assert response.status_code in (400, 401), length
    server.close()


@pytest.mark.parametrize("expect", ["x", "100-continue, x"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/healthz"), ("GET", "/nothing"), ("POST", "/api/users"), ("PUT", "/"), ("GET", "/")],
)
def test_an_unknown_expectation_gets_a_response(
    server: Server, expect: str, method: str, path: str
) -> None:
    index = server.repository()
    response = exchange(index.url, request(f"{method} {path} HTTP/1.1", {"Expect": expect}))
    assert response.status == 417
    assert response.headers["Server"] == "cloudrepo-server"
    index.api_json("DELETE")


def test_an_unknown_expectation_of_an_upload_gets_a_response(victim: Index) -> None:
    with connect(victim.url) as connection:
        form = VALID_FORM
        connection.send(head(victim, form, Content_Length=str(len(form.body)), Expect="x"))
        assert_rejected(connection.read_response())
