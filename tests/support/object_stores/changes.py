"""Every kind of change, with the state before and after it, for tests that interrupt changes."""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import requests

from tests.support.archives import Archive, wheel
from tests.support.index import JSON, Index, Server
from tests.support.object_stores.engines import Engine

Act = Callable[[Server], requests.Response]
Contents = dict[str, dict[str, tuple[str, str | bool]]] | None
"""The digest and yank of each file of each project, or None if the repository does not exist."""

LARGE = wheel("large", padding=6 << 20)
FIRST, REPLACEMENT, SECOND = wheel(), wheel(module="x = 2\n"), wheel(version="2.0")
_LINK = re.compile(r'<a href="[^"#]*#sha256=([0-9a-f]{64})"([^>]*)>([^<]+)</a>')
_YANKED = re.compile(r'data-yanked="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Change:
    """A request that changes something, and the visible state before and after it."""

    name: str
    path_parts: tuple[str, ...]
    """The path of each write to the store that belongs to this change contains one of these."""
    act: Act
    read_state: Callable[[Server], object]
    before: object
    after: object
    rejected_afterwards: Act | None = None
    """A request that the server must reject after this change."""
    is_finished: Callable[[], bool] = lambda: True
    """Whether the work is finished that continues after the response."""


def contents(index: Index) -> Contents:
    """Return the contents of a repository, after checking that HTML, JSON and files agree."""
    root = index.get("/", Accept=JSON)
    if root.status_code == 404:
        assert index.get("/").status_code == 404
        return None
    names = [project["name"] for project in root.json()["projects"]]
    assert re.findall(r"<a href[^>]*>([^<]+)</a>", index.html("/")) == names
    found = {name: dict(_check_files(index, name)) for name in names}
    assert all(found.values()), f"a project without files: {found}"
    return found


def _check_files(index: Index, project: str) -> Iterator[tuple[str, tuple[str, str | bool]]]:
    in_html = {
        html.unescape(name): (digest, _YANKED.search(attributes))
        for digest, attributes, name in _LINK.findall(index.html(f"/{project}/"))
    }
    for name, file in index.files(project).items():
        digest = file["hashes"]["sha256"]
        yanked = file.get("yanked") or False
        html_digest, reason = in_html.pop(name)
        assert (html_digest, reason and html.unescape(reason[1])) == (digest, yanked or None)
        content = index.linked(file["url"], f"/{project}/").content
        assert hashlib.sha256(content).hexdigest() == digest, name
        metadata = index.linked(file["url"] + ".metadata", f"/{project}/").content
        assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"], name
        yield name, (digest, yanked)
    assert not in_html, f"only in HTML: {in_html}"


class Changes:
    """A factory of all kinds of changes; a server that is never killed prepares their data."""

    def __init__(self, server: Server, login: tuple[str, str], engine: Engine, url: str) -> None:
        self._server = server
        self._login = login
        self._engine = engine
        self._url = url

    def new(self, number: int) -> list[Change]:
        """Return one change of each kind, each with data that is unique to `number`."""
        return [
            *self._uploads(number),
            *self._file_changes(number),
            *self._repositories(number),
            *self._logins(number),
        ]

    def _uploads(self, number: int) -> Iterator[Change]:
        first = self._new_index(f"first-{number}", overwrite_protection=True)
        yield self._file_change(
            "the first upload of a project",
            first,
            lambda index: index.upload(FIRST),
            {},
            {"demo": _states(FIRST)},
            rejected_afterwards=lambda index: index.upload(REPLACEMENT),
        )
        existing = self._new_index(f"existing-{number}")
        existing.publish(FIRST)
        yield self._file_change(
            "an upload to a project",
            existing,
            lambda index: index.upload(SECOND),
            {"demo": _states(FIRST)},
            {"demo": _states(FIRST, SECOND)},
        )
        yield self._file_change(
            "a large upload",
            self._new_index(f"large-{number}"),
            lambda index: index.upload(LARGE),
            {},
            {"large": _states(LARGE)},
        )
        overwritten = self._new_index(f"overwritten-{number}")
        overwritten.publish(FIRST)
        yield self._file_change(
            "an upload that replaces a file",
            overwritten,
            lambda index: index.upload(REPLACEMENT),
            {"demo": _states(FIRST)},
            {"demo": _states(REPLACEMENT)},
        )

    def _file_changes(self, number: int) -> Iterator[Change]:
        path = f"/files/{FIRST.filename}"
        yanked = self._new_index(f"yanked-{number}")
        yanked.publish(FIRST)
        yield self._file_change(
            "a yank",
            yanked,
            lambda index: index.api("PATCH", path, {"yanked": "a reason"}),
            {"demo": _states(FIRST)},
            {"demo": _states(FIRST, yanked="a reason")},
        )
        for name, kept in (("one-of-two", (SECOND,)), ("only", ())):
            index = self._new_index(f"{name}-{number}")
            index.publish(FIRST, *kept)
            yield self._file_change(
                f"the deletion of a file: {name}",
                index,
                lambda index: index.api("DELETE", path),
                {"demo": _states(FIRST, *kept)},
                {"demo": _states(*kept)} if kept else {},
            )

    def _repositories(self, number: int) -> Iterator[Change]:
        created = f"created-{number}"
        yield Change(
            name="a new repository",
            path_parts=(f"{created}.json",),
            act=lambda server: server.api("POST", "/repositories", {"name": created}),
            read_state=lambda server: contents(Index(server, created, *self._login)),
            before=None,
            after={},
        )
        deleted = self._new_index(f"deleted-repository-{number}")
        deleted.publish(FIRST)
        token = deleted.token()["id"]
        id_ = self._id(deleted)
        yield Change(
            name="the deletion of a repository",
            # Bulk deletions of blobs and projects name no key in their path.
            path_parts=(f"{deleted.name}.json", f"{token}.json", id_, "?delete", "comp=batch"),
            act=lambda server: server.api("DELETE", f"/repositories/{deleted.name}"),
            read_state=lambda server: contents(Index(server, deleted.name, *self._login)),
            before={"demo": _states(FIRST)},
            after=None,
            is_finished=lambda: not any(id_ in key for key in self._engine.keys(self._url)),
        )

    def _logins(self, number: int) -> Iterator[Change]:
        new, old = f"new{number}@example.com", f"old{number}@example.com"
        before = self._engine.keys(self._url)
        self._server.user(email=old)
        (key,) = self._engine.keys(self._url) - before
        yield Change(
            name="the deletion of a user",
            path_parts=(key,),
            act=lambda server: server.api("DELETE", f"/users/{old}"),
            read_state=lambda server: old in _users(server),
            before=True,
            after=False,
        )
        with_token = self._new_index(f"with-token-{number}")
        without_token = self._new_index(f"without-token-{number}")
        token = with_token.token()["id"]
        yield Change(
            name="the deletion of a token",
            path_parts=(f"{token}.json",),
            act=lambda server: server.api("DELETE", f"/tokens/{token}"),
            read_state=lambda server: _tokens(server, with_token),
            before=1,
            after=0,
        )
        # All other writes to these folders belong to the next two changes.
        yield Change(
            name="a new user",
            path_parts=("/users/",),
            act=lambda server: server.api("POST", "/users", {"email": new}),
            read_state=lambda server: new in _users(server),
            before=False,
            after=True,
        )
        yield Change(
            name="a new token",
            path_parts=("/tokens/",),
            act=lambda server: server.api("POST", "/tokens", {"repository": without_token.name}),
            read_state=lambda server: _tokens(server, without_token),
            before=0,
            after=1,
        )

    def _file_change(
        self,
        name: str,
        index: Index,
        act: Callable[[Index], requests.Response],
        before: Contents,
        after: Contents,
        *,
        rejected_afterwards: Callable[[Index], requests.Response] | None = None,
    ) -> Change:
        def through(server: Server) -> Index:
            return Index(server, index.name, *self._login)

        return Change(
            name=name,
            path_parts=(self._id(index),),
            act=lambda server: act(through(server)),
            read_state=lambda server: contents(through(server)),
            before=before,
            after=after,
            rejected_afterwards=None
            if rejected_afterwards is None
            else lambda server: rejected_afterwards(through(server)),
        )

    def _new_index(self, name: str, **settings: object) -> Index:
        self._server.api_json("POST", "/repositories", {"name": name, **settings})
        return Index(self._server, name, *self._login)

    def _id(self, index: Index) -> str:
        document = self._engine.document(self._url, f"repositories/@{index.name}.json")
        id_: str = document["id"]
        return id_


def _states(*archives: Archive, yanked: str | bool = False) -> dict[str, tuple[str, str | bool]]:
    return {each.filename: (each.sha256, yanked) for each in archives}


def _users(server: Server) -> set[str]:
    return {user["email"] for user in server.api_json("GET", "/users")["users"]}


def _tokens(server: Server, index: Index) -> int:
    tokens = server.api_json("GET", "/tokens")["tokens"]
    return sum(token["repository"] == index.name for token in tokens)
