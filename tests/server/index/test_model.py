"""Random sequences of requests: the server's state follows the rules, also after a restart."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.archives import Archive, sdist, wheel
from tests.support.data_folder import wait_for_blobs
from tests.support.forms import encode, fields
from tests.support.http_connection import KeptConnection, Login, Response
from tests.support.index import HTML, JSON, Server
from tests.support.model import (
    RULES,
    StoredFile,
    StoredProject,
    StoredRepository,
    StoredToken,
    StoredUser,
)
from tests.support.nightly import search_settings
from tests.support.process import ServerProcess

pytestmark = pytest.mark.nightly

LARGE = 1 << 20
STEPS_BEFORE_RESTART = 60

NAMES = ("a", "b")
EMAILS = ("one", "two")
PROJECTS = ("demo", "other-one")
FileChoice = tuple[str, str, int]
"""A project, a file type, and a variant of the content."""
STATUSES = ("active", "deprecated", "archived", "quarantined")


class Host:
    """A server with a data folder, which can be restarted."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._starts = itertools.count(1)
        self.start()

    def start(self) -> None:
        process = ServerProcess(self._folder / f"start-{next(self._starts)}", "--data", self.data)
        self.server = Server(process)
        self.connection = KeptConnection(self.server.url)

    def stop(self, *, killed: bool) -> None:
        process = self.server.process
        self.connection.close()
        self.server.close()
        if killed:
            process.kill()
        else:
            assert process.stop() == 0, process.log
        assert "Traceback" not in process.log, process.log
        assert " 500 " not in process.log, process.log


@functools.cache
def archive_of(project: str, kind: str, variant: int) -> Archive:
    """Return a file; variant 1 has Requires-Python, variant 2 is large if it is a wheel."""
    requires_python = requires_python_of(variant)
    if kind == "sdist":
        return sdist(project, metadata_version="2.2", requires_python=requires_python)
    return wheel(
        project,
        module=f"x = {variant}\n",
        requires_python=requires_python,
        padding=LARGE + 1 if variant == 2 else 0,
    )


def requires_python_of(variant: int) -> str | None:
    return ">=3.8" if variant == 1 else None


class Anchors(HTMLParser):
    """A parser that collects the links of a page by their texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str | None]] = {}
        self._attributes: dict[str, str | None] | None = None
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._attributes = dict(attrs)

    def handle_data(self, data: str) -> None:
        if self._attributes is not None:
            self.found[data] = self._attributes
            self._attributes = None


names = st.sampled_from(NAMES)
emails = st.sampled_from(EMAILS)
projects = st.sampled_from(PROJECTS)
kinds = st.sampled_from(("wheel", "sdist"))
variants = st.sampled_from((0, 1, 2))
files = st.tuples(projects, kinds, variants)
picks = st.integers(0, 7)


class Machine(RuleBasedStateMachine):
    """Sends requests to a server, and checks its responses and state against the model."""

    host: Host
    _numbers = itertools.count(1)

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"m{next(self._numbers)}"
        self.repositories: dict[str, StoredRepository] = {}
        self.users: dict[str, StoredUser] = {}
        self.revoked: list[tuple[str, str]] = []
        self.tokens: dict[str, StoredToken] = {}
        self.steps = 0

    def teardown(self) -> None:
        self.check_all()
        for slot in list(self.repositories):
            self.delete_repository(slot)
        for slot in list(self.users):
            assert self.api("DELETE", f"/users/{self.email(slot)}").status == 204
        assert self.listed_tokens() == {}

    # Requests.

    def name(self, slot: str) -> str:
        return f"{self.prefix}-{slot}"

    def email(self, slot: str) -> str:
        return f"{slot}@{self.prefix}.example.com"

    def api(self, method: str, path: str, json: object = None) -> Response:
        self.steps += 1
        return self.host.connection.request(
            method, "/api" + path, login=self.host.server.admin, json=json
        )

    def repository_api(
        self, method: str, slot: str, below: str = "", json: object = None
    ) -> Response:
        return self.api(method, f"/repositories/{self.name(slot)}{below}", json)

    def get(
        self, slot: str, below: str, login: Login, accept: str = HTML, base: str = ""
    ) -> Response:
        path = f"{base}/repositories/{self.name(slot)}{below}"
        return self.host.connection.request("GET", path, login=login, headers={"Accept": accept})

    def logins(self) -> list[Login]:
        """Return credentials of every kind, valid or not."""
        return [
            None,
            self.host.server.admin,
            *((self.email(slot), user.passphrase) for slot, user in self.users.items()),
            *(("anybody", token.secret) for token in self.tokens.values()),
            *self.revoked[-1:],
        ]

    def access_status(self, login: Login, slot: str, *, write: bool) -> int:
        """Return the status that access control causes; 200 if it allows the request."""
        user = next(
            (
                user
                for each, user in self.users.items()
                if login == (self.email(each), user.passphrase)
            ),
            None,
        )
        secret = login[1] if login else None
        token = next((each for each in self.tokens.values() if each.secret == secret), None)
        known = user or token
        repository = self.repositories.get(slot)
        if known is None:
            return repository.rules.unknown_uploader if write and repository else 401
        if repository is None:
            return 404
        if token is not None and token.repository is not repository:
            return 403
        return 403 if write and known.read_only else 200

    # Rules.

    @initialize()
    def set_up(self) -> None:
        for slot in NAMES:
            self.create_repository(slot, protection=False)
        self.set_dialect("b", "pypi")
        self.create_user("one", read_only=False, passphrase=None)
        self.put("a", ("demo", "wheel", 0))
        self.put("b", ("demo", "sdist", 0))

    @rule(slot=names, protection=st.booleans())
    def create_repository(self, slot: str, *, protection: bool) -> None:
        body = {"name": self.name(slot), "overwrite_protection": protection}
        response = self.api("POST", "/repositories", body)
        assert response.status == (409 if slot in self.repositories else 201), response.text
        if slot not in self.repositories:
            self.repositories[slot] = StoredRepository(overwrite_protection=protection)
            assert self.get_public_status(slot) == 404

    @rule(slot=names)
    def delete_repository(self, slot: str) -> None:
        status = self.repository_api("DELETE", slot).status
        repository = self.repositories.pop(slot, None)
        assert status == (404 if repository is None else 204)
        self.tokens = {
            key: token for key, token in self.tokens.items() if token.repository is not repository
        }

    @rule(slot=names, protection=st.booleans())
    def protect(self, slot: str, *, protection: bool) -> None:
        self.set(slot, overwrite_protection=protection)

    @rule(slot=names, public=st.booleans())
    def make_public(self, slot: str, *, public: bool) -> None:
        self.set(slot, public=public)
        assert self.get_public_status(slot) == (
            200 if public and slot in self.repositories else 404
        )

    @rule(slot=names, limit=st.sampled_from((None, LARGE)))
    def limit(self, slot: str, limit: int | None) -> None:
        self.set(slot, max_file_size=limit)

    @rule(slot=names, dialect=st.sampled_from(sorted(RULES)))
    def set_dialect(self, slot: str, dialect: str) -> None:
        self.set(slot, dialect=dialect)

    def set(self, slot: str, **settings: bool | str | int | None) -> None:
        response = self.repository_api("PATCH", slot, json=settings)
        assert response.status == (200 if slot in self.repositories else 404), response.text
        if slot in self.repositories:
            for key, value in settings.items():
                setattr(self.repositories[slot], key, value)
                assert response.json()[key] == value

    def get_public_status(self, slot: str) -> int:
        return self.get(slot, "/", None, base="/public").status

    @rule(
        slot=emails,
        read_only=st.booleans(),
        passphrase=st.sampled_from((None, None, None, "chosen by a person")),
    )
    def create_user(self, slot: str, *, read_only: bool, passphrase: str | None) -> None:
        body = {"email": self.email(slot), "read_only": read_only, "passphrase": passphrase}
        response = self.api("POST", "/users", body)
        assert response.status == (409 if slot in self.users else 201), response.text
        if slot not in self.users:
            self.users[slot] = StoredUser(passphrase or response.json()["passphrase"], read_only)

    @rule(slot=emails, read_only=st.booleans())
    def change_user(self, slot: str, *, read_only: bool) -> None:
        response = self.api("PATCH", f"/users/{self.email(slot)}", {"read_only": read_only})
        assert response.status == (200 if slot in self.users else 404)
        if slot in self.users:
            self.users[slot].read_only = read_only

    @precondition(lambda self: self.users)
    @rule(slot=emails, passphrase=st.sampled_from(("another of a person", "chosen by a person")))
    def change_passphrase(self, slot: str, passphrase: str) -> None:
        response = self.api("PATCH", f"/users/{self.email(slot)}", {"passphrase": passphrase})
        assert response.status == (200 if slot in self.users else 404)
        if slot in self.users:
            self.revoked.append((self.email(slot), self.users[slot].passphrase))
            self.users[slot].passphrase = passphrase

    @rule(slot=emails)
    def delete_user(self, slot: str) -> None:
        response = self.api("DELETE", f"/users/{self.email(slot)}")
        user = self.users.pop(slot, None)
        assert response.status == (404 if user is None else 204)
        if user is not None:
            self.revoked.append((self.email(slot), user.passphrase))

    @rule(slot=names, read_only=st.booleans())
    def create_token(self, slot: str, *, read_only: bool) -> None:
        response = self.api(
            "POST", "/tokens", {"repository": self.name(slot), "read_only": read_only}
        )
        assert response.status == (201 if slot in self.repositories else 404)
        if slot in self.repositories:
            created = response.json()
            self.tokens[created["id"]] = StoredToken(
                created["token"], self.repositories[slot], read_only
            )

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def delete_token(self, data: st.DataObject) -> None:
        key = data.draw(st.integers(0, len(self.tokens) - 1))
        token_id = list(self.tokens)[key]
        self.revoked.append(("anybody", self.tokens.pop(token_id).secret))
        assert self.api("DELETE", f"/tokens/{token_id}").status == 204
        assert self.api("DELETE", f"/tokens/{token_id}").status == 404

    @rule(slot=names, file=files, data=st.data())
    def upload(self, slot: str, file: FileChoice, data: st.DataObject) -> None:
        # Mostly with credentials that may upload.
        allowed = [
            each for each in self.logins() if self.access_status(each, slot, write=True) == 200
        ]
        login = data.draw(st.sampled_from((*allowed * 6, *self.logins())))
        archive = archive_of(*file)
        expected = self.access_status(login, slot, write=True)
        if expected == 200:
            expected = self.repositories[slot].publish(
                file[0],
                archive,
                uploader=self.uploader(login),
                requires_python=requires_python_of(file[2]),
            )
        response = self.post(slot, archive, login)
        assert response.status == expected, (response.status, response.reason)
        self.check_project(slot, file[0])

    def uploader(self, login: Login) -> str:
        assert login is not None
        found = [key for key, token in self.tokens.items() if token.secret == login[1]]
        return f"token {found[0]}" if found else login[0]

    def post(self, slot: str, archive: Archive, login: Login, **changes: str) -> Response:
        form = encode(fields(archive, **changes))
        self.steps += 1
        return self.host.connection.request(
            "POST",
            f"/repositories/{self.name(slot)}",
            login=login,
            body=form.body,
            headers={"Content-Type": form.content_type},
        )

    @rule(slot=names, file=files, data=st.data())
    def upload_with_wrong_fields(self, slot: str, file: FileChoice, data: st.DataObject) -> None:
        allowed = [
            each for each in self.logins() if self.access_status(each, slot, write=True) == 200
        ]
        if not allowed or self.repositories[slot].max_file_size is not None:
            return
        archive = archive_of(*file)
        wrong = data.draw(st.sampled_from(({"sha256_digest": "0" * 64}, {"protocol_version": "2"})))
        response = self.post(slot, archive, allowed[0], **wrong)
        assert response.status in self.repositories[slot].statuses_of_wrong_fields(file[0])
        self.check_project(slot, file[0])

    @rule(slot=names, file=files)
    def put(self, slot: str, file: FileChoice) -> None:
        archive = archive_of(*file)
        expected = 404
        if slot in self.repositories:
            expected = self.repositories[slot].publish(
                file[0],
                archive,
                uploader="admin",
                requires_python=requires_python_of(file[2]),
                through_api=True,
            )
        response = self.host.connection.request(
            "PUT",
            f"/api/repositories/{self.name(slot)}/files/{archive.filename}",
            login=self.host.server.admin,
            body=archive.data,
        )
        assert response.status == expected, response.text
        self.check_project(slot, file[0])

    def published(self, slot: str, pick: int, variant: int = 0) -> FileChoice:
        """Return a published file if there is one."""
        repository = self.repositories.get(slot)
        known = [
            (name, file.archive.filetype.removeprefix("bdist_"), variant)
            for name, project in (repository.projects if repository else {}).items()
            for file in project.files.values()
        ]
        return known[pick % len(known)] if known else ("demo", "wheel", variant)

    def stored(self, slot: str, file: FileChoice) -> StoredFile | None:
        repository = self.repositories.get(slot)
        project = None if repository is None else repository.projects.get(file[0])
        return None if project is None else project.files.get(archive_of(*file).filename)

    @rule(slot=names, pick=picks, variant=variants)
    def put_again(self, slot: str, pick: int, variant: int) -> None:
        self.put(slot, self.published(slot, pick, variant))

    @rule(
        slot=names,
        pick=picks,
        yanked=st.one_of(st.booleans(), st.sampled_from(("", "broken", "<b>&\"'\u2603"))),
    )
    def yank(self, slot: str, pick: int, *, yanked: bool | str) -> None:
        file = self.published(slot, pick)
        stored = self.stored(slot, file)
        below = f"/files/{archive_of(*file).filename}"
        response = self.repository_api("PATCH", slot, below, {"yanked": yanked})
        assert response.status == (404 if stored is None else 200)
        if stored is not None:
            stored.yanked = yanked if isinstance(yanked, str) else ("" if yanked else None)
        self.check_project(slot, file[0])

    @rule(slot=names, file=files)
    def set_upload_time(self, slot: str, file: FileChoice) -> None:
        stored = self.stored(slot, file)
        time = "2020-02-02T20:20:20.000002Z"
        below = f"/files/{archive_of(*file).filename}"
        response = self.repository_api("PATCH", slot, below, {"upload_time": time})
        assert response.status == (404 if stored is None else 200)
        if stored is not None:
            stored.upload_time = time

    @rule(slot=names, pick=picks, again=st.booleans())
    def delete_file(self, slot: str, pick: int, *, again: bool) -> None:
        file = self.published(slot, pick)
        filename = archive_of(*file).filename
        expected = 404
        if slot in self.repositories:
            expected = self.repositories[slot].delete(file[0], filename)
        assert self.repository_api("DELETE", slot, f"/files/{filename}").status == expected
        self.check_project(slot, file[0])
        if again:
            self.put(slot, file)

    @rule(slot=names, pick=picks, status=st.sampled_from(STATUSES))
    def set_status(self, slot: str, pick: int, status: str) -> None:
        project = self.published(slot, pick)[0]
        repository = self.repositories.get(slot)
        stored = None if repository is None else repository.projects.get(project)
        body = {"status": status, "reason": "because"}
        response = self.repository_api("PATCH", slot, f"/projects/{project}", body)
        assert response.status == (404 if stored is None else 200)
        if stored is not None:
            stored.status, stored.reason = status, "because"
        self.check_project(slot, project)

    @precondition(lambda self: self.steps > STEPS_BEFORE_RESTART)
    @rule(killed=st.booleans())
    def restart(self, *, killed: bool) -> None:
        self.steps = 0
        self.host.stop(killed=killed)
        self.host.start()
        self.check_all()
        expected = sum(repository.blobs for repository in self.repositories.values())
        wait_for_blobs(expected, self.host.data)

    # Checks.

    def reader(self, slot: str) -> Login:
        """Return credentials that may read the repository."""
        allowed = [
            each for each in self.logins() if self.access_status(each, slot, write=False) == 200
        ]
        if not allowed:
            self.create_user("one", read_only=True, passphrase=None)
            return self.reader(slot)
        return allowed[-1]

    @rule()
    def check_all(self) -> None:
        listed = self.api("GET", "/repositories").json()["repositories"]
        listed_repositories = {
            each["name"]: each for each in listed if each["name"].startswith(self.prefix + "-")
        }
        assert set(listed_repositories) == {self.name(slot) for slot in self.repositories}
        for slot, repository in self.repositories.items():
            listed = listed_repositories[self.name(slot)]
            for setting in ("overwrite_protection", "public", "dialect", "max_file_size"):
                assert listed[setting] == getattr(repository, setting)
            for project in PROJECTS:
                self.check_project(slot, project, files=True)
            self.check_root(slot)
        known = self.api("GET", "/users").json()["users"]
        assert {each["email"]: each["read_only"] for each in known if self.is_mine(each)} == {
            self.email(slot): user.read_only for slot, user in self.users.items()
        }
        assert self.listed_tokens() == {key: token.read_only for key, token in self.tokens.items()}
        for slot in NAMES:
            for login in self.logins():
                status = self.get(slot, "/", login).status
                assert status == self.access_status(login, slot, write=False), login

    def is_mine(self, user: dict[str, str]) -> bool:
        return user["email"].endswith(f"@{self.prefix}.example.com")

    def listed_tokens(self) -> dict[str, bool]:
        known = self.api("GET", "/tokens").json()["tokens"]
        return {
            each["id"]: each["read_only"]
            for each in known
            if each["repository"].startswith(self.prefix + "-")
        }

    def check_root(self, slot: str) -> None:
        repository = self.repositories[slot]
        page = self.get(slot, "/", self.reader(slot))
        assert set(Anchors(page.text).found) == set(repository.projects)
        listed = self.repository_api("GET", slot, "/projects").json()["projects"]
        assert {each["name"] for each in listed} == set(repository.projects)

    def check_project(self, slot: str, name: str, *, files: bool = False) -> None:
        repository = self.repositories.get(slot)
        project = None if repository is None else repository.projects.get(name)
        listed = self.repository_api("GET", slot, f"/projects/{name}")
        if repository is None or project is None:
            assert listed.status == 404
            return
        self.check_admin_api(listed.json(), project)
        login = self.reader(slot)
        page = self.get(slot, f"/{name}/", login)
        if not project.files:
            assert page.status == repository.rules.empty_page
            return
        hidden = project.status == "quarantined" and repository.rules.full_pages
        shown = {} if hidden else project.files
        links = Anchors(page.text).found
        assert set(links) == set(shown)
        if repository.rules.full_pages:
            self.check_pages(slot, name, links)
        for filename, file in shown.items() if files else ():
            response = self.get(slot, f"/{name}/{filename}", login)
            assert response.status == 200
            assert response.content == file.archive.data
            assert response.headers["ETag"] == f'"{file.archive.sha256}"'
            metadata = self.get(slot, f"/{name}/{filename}.metadata", login)
            if file.archive_was_read and repository.rules.full_pages:
                assert metadata.content == file.archive.metadata
            else:
                assert metadata.status == 404

    def check_admin_api(self, listed: dict[str, object], project: StoredProject) -> None:
        """Check the admin API's description of a project."""
        assert (listed["status"], listed["reason"]) == (project.status, project.reason)
        files = listed["files"]
        assert isinstance(files, list)
        assert [each["filename"] for each in files] == sorted(project.files)
        for each in files:
            file = project.files[each["filename"]]
            assert each["sha256"] == file.archive.sha256
            assert each["size"] == len(file.archive.data)
            assert each["uploader"] == file.uploader
            assert each["requires_python"] == file.requires_python
            assert each["yanked"] == (False if file.yanked is None else file.yanked)
            assert file.upload_time in (None, each["upload_time"])

    def check_pages(self, slot: str, name: str, links: dict[str, dict[str, str | None]]) -> None:
        """Check a project's page, in HTML and in JSON."""
        project = self.repositories[slot].projects[name]
        page = self.get(slot, f"/{name}/", self.reader(slot), accept=JSON).json()
        assert page.get("project-status", {}).get("status", "active") == project.status
        listed = {each["filename"]: each for each in page["files"]}
        assert set(listed) == set(links)
        for filename, link in links.items():
            file, each = project.files[filename], listed[filename]
            sha256 = file.archive.sha256
            assert each["hashes"] == {"sha256": sha256}
            assert each["size"] == len(file.archive.data)
            assert each.get("yanked", False) == (
                False if file.yanked is None else file.yanked or True
            )
            assert each.get("requires-python") == file.requires_python
            href = link["href"]
            assert href is not None
            assert unquote(href).endswith(f"/{filename}#sha256={sha256}")
            assert ("data-yanked" in link) == (file.yanked is not None)
            assert (link.get("data-yanked") or "") == (file.yanked or "")
            assert link.get("data-requires-python") == file.requires_python


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.stop(killed=False)


def test_the_state_of_a_server_follows_the_rules(host: Host) -> None:
    class MachineOfThisServer(Machine):
        """The machine, with the server of this test."""

    MachineOfThisServer.host = host
    run_state_machine_as_test(MachineOfThisServer, settings=search_settings(20, 1000))
