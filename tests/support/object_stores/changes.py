"""Every kind of change of a repository, and how it looks before and after: for who disturbs it."""

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
"""Digest and yank of each file of each project, or None where the repository is not there."""

LARGE = wheel("large", padding=6 << 20)
FIRST, REPLACEMENT, SECOND = wheel(), wheel(module="x = 2\n"), wheel(version="2.0")
_LINK = re.compile(r'<a href="[^"#]*#sha256=([0-9a-f]{64})"([^>]*)>([^<]+)</a>')
_YANKED = re.compile(r'data-yanked="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that is asked of a server, and what is there before and after."""

    name: str
    marks: tuple[str, ...]
    """One of these stands in the path of each write to the store that belongs to it."""
    act: Act
    look: Callable[[Server], object]
    before: object
    after: object
    rival: Act | None = None
    """What must be refused when it is done."""
    over: Callable[[], bool] = lambda: True
    """Whether what it does after its answer is done."""


def contents(index: Index) -> Contents:
    """What is in a repository, which all ways to see it tell alike."""
    root = index.get("/", Accept=JSON)
    if root.status_code == 404:
        assert index.get("/").status_code == 404
        return None
    names = [project["name"] for project in root.json()["projects"]]
    assert re.findall(r"<a href[^>]*>([^<]+)</a>", index.html("/")) == names
    found = {name: dict(_files(index, name)) for name in names}
    assert all(found.values()), f"a project without files: {found}"
    return found


def _files(index: Index, project: str) -> Iterator[tuple[str, tuple[str, str | bool]]]:
    shown = {
        html.unescape(name): (digest, _YANKED.search(attributes))
        for digest, attributes, name in _LINK.findall(index.html(f"/{project}/"))
    }
    for name, file in index.files(project).items():
        digest = file["hashes"]["sha256"]
        yanked = file.get("yanked") or False
        in_html, reason = shown.pop(name)
        assert (in_html, reason and html.unescape(reason[1])) == (digest, yanked or None)
        content = index.linked(file["url"], f"/{project}/").content
        assert hashlib.sha256(content).hexdigest() == digest, name
        metadata = index.linked(file["url"] + ".metadata", f"/{project}/").content
        assert hashlib.sha256(metadata).hexdigest() == file["core-metadata"]["sha256"], name
        yield name, (digest, yanked)
    assert not shown, f"in HTML alone: {shown}"


class Changes:
    """New repositories and such for every kind of change, made by a server that stays."""

    def __init__(self, server: Server, login: tuple[str, str], engine: Engine, url: str) -> None:
        self._server = server
        self._login = login
        self._engine = engine
        self._url = url

    def new(self, number: int) -> list[Change]:
        """One of each, in places that no other number has."""
        return [
            *self._uploads(number),
            *self._changes_of_files(number),
            *self._repositories(number),
            *self._logins(number),
        ]

    def _uploads(self, number: int) -> Iterator[Change]:
        first = self._index(f"first-{number}", overwrite_protection=True)
        yield self._of_files(
            "the first upload of a project",
            first,
            lambda index: index.upload(FIRST),
            {},
            {"demo": _states(FIRST)},
            rival=lambda index: index.upload(REPLACEMENT),
        )
        existing = self._index(f"existing-{number}")
        existing.publish(FIRST)
        yield self._of_files(
            "an upload to a project",
            existing,
            lambda index: index.upload(SECOND),
            {"demo": _states(FIRST)},
            {"demo": _states(FIRST, SECOND)},
        )
        yield self._of_files(
            "a large upload",
            self._index(f"large-{number}"),
            lambda index: index.upload(LARGE),
            {},
            {"large": _states(LARGE)},
        )
        overwritten = self._index(f"overwritten-{number}")
        overwritten.publish(FIRST)
        yield self._of_files(
            "an upload in place of another",
            overwritten,
            lambda index: index.upload(REPLACEMENT),
            {"demo": _states(FIRST)},
            {"demo": _states(REPLACEMENT)},
        )

    def _changes_of_files(self, number: int) -> Iterator[Change]:
        path = f"/files/{FIRST.filename}"
        yanked = self._index(f"yanked-{number}")
        yanked.publish(FIRST)
        yield self._of_files(
            "a yank",
            yanked,
            lambda index: index.api("PATCH", path, {"yanked": "a reason"}),
            {"demo": _states(FIRST)},
            {"demo": _states(FIRST, yanked="a reason")},
        )
        for name, kept in (("deleted", (SECOND,)), ("last", ())):
            index = self._index(f"{name}-{number}")
            index.publish(FIRST, *kept)
            yield self._of_files(
                f"the removal of a file: {name}",
                index,
                lambda index: index.api("DELETE", path),
                {"demo": _states(FIRST, *kept)},
                {"demo": _states(*kept)} if kept else {},
            )

    def _repositories(self, number: int) -> Iterator[Change]:
        made = f"made-{number}"
        yield Change(
            name="a new repository",
            marks=(f"{made}.json",),
            act=lambda server: server.api("POST", "/repositories", {"name": made}),
            look=lambda server: contents(Index(server, made, *self._login)),
            before=None,
            after={},
        )
        gone = self._index(f"gone-{number}")
        gone.publish(FIRST)
        token = self._server.done("POST", "/tokens", {"repository": gone.name})["id"]
        id_ = self._id(gone)
        yield Change(
            name="the removal of a repository",
            # Blobs and projects are removed many at once, for which a path names none of them.
            marks=(f"{gone.name}.json", f"{token}.json", id_, "?delete", "comp=batch"),
            act=lambda server: server.api("DELETE", f"/repositories/{gone.name}"),
            look=lambda server: contents(Index(server, gone.name, *self._login)),
            before={"demo": _states(FIRST)},
            after=None,
            over=lambda: not any(id_ in key for key in self._engine.keys(self._url)),
        )

    def _logins(self, number: int) -> Iterator[Change]:
        new, old = f"new{number}@example.com", f"old{number}@example.com"
        before = self._engine.keys(self._url)
        self._server.user(email=old)
        (key,) = self._engine.keys(self._url) - before
        yield Change(
            name="the removal of a user",
            marks=(key,),
            act=lambda server: server.api("DELETE", f"/users/{old}"),
            look=lambda server: old in _users(server),
            before=True,
            after=False,
        )
        with_token, without = self._index(f"token-{number}"), self._index(f"untoken-{number}")
        token = self._server.done("POST", "/tokens", {"repository": with_token.name})["id"]
        yield Change(
            name="the removal of a token",
            marks=(f"{token}.json",),
            act=lambda server: server.api("DELETE", f"/tokens/{token}"),
            look=lambda server: _tokens(server, with_token),
            before=1,
            after=0,
        )
        # Whatever is written to these folders otherwise is theirs.
        yield Change(
            name="a new user",
            marks=("/users/",),
            act=lambda server: server.api("POST", "/users", {"email": new}),
            look=lambda server: new in _users(server),
            before=False,
            after=True,
        )
        yield Change(
            name="a new token",
            marks=("/tokens/",),
            act=lambda server: server.api("POST", "/tokens", {"repository": without.name}),
            look=lambda server: _tokens(server, without),
            before=0,
            after=1,
        )

    def _of_files(
        self,
        name: str,
        index: Index,
        act: Callable[[Index], requests.Response],
        before: Contents,
        after: Contents,
        *,
        rival: Callable[[Index], requests.Response] | None = None,
    ) -> Change:
        def seen_from(server: Server) -> Index:
            return Index(server, index.name, *self._login)

        return Change(
            name=name,
            marks=(self._id(index),),
            act=lambda server: act(seen_from(server)),
            look=lambda server: contents(seen_from(server)),
            before=before,
            after=after,
            rival=None if rival is None else lambda server: rival(seen_from(server)),
        )

    def _index(self, name: str, **settings: object) -> Index:
        self._server.done("POST", "/repositories", {"name": name, **settings})
        return Index(self._server, name, *self._login)

    def _id(self, index: Index) -> str:
        document = self._engine.document(self._url, f"repositories/@{index.name}.json")
        id_: str = document["id"]
        return id_


def _states(*archives: Archive, yanked: str | bool = False) -> dict[str, tuple[str, str | bool]]:
    return {each.filename: (each.sha256, yanked) for each in archives}


def _users(server: Server) -> set[str]:
    return {user["email"] for user in server.done("GET", "/users")["users"]}


def _tokens(server: Server, index: Index) -> int:
    tokens = server.done("GET", "/tokens")["tokens"]
    return sum(token["repository"] == index.name for token in tokens)
