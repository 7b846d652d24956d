"""The server and a repository on it, as a test reaches them: over HTTP."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urljoin

import requests

from tests.support.archives import Archive
from tests.support.forms import Field, Form, encode, fields
from tests.support.process import ServerProcess
from tests.support.raw import SECONDS, basic
from tests.support.wait import wait_until

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"

_numbers = itertools.count(1)


class Server:
    """A server that responses."""

    def __init__(self, process: ServerProcess) -> None:
        state = process.state()
        self.process = process
        self.url: str = state["url"]
        self.organization: str = state["organization"]
        self.admin: tuple[str, str] = (state["admin"]["username"], state["admin"]["password"])
        self.session = requests.Session()
        self.session.trust_env = False

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 (requests' own options)
        options.setdefault("timeout", SECONDS)
        options.setdefault("allow_redirects", False)
        return self.session.request(method, self.url + path, **options)

    def api(self, method: str, path: str, json: object = None) -> requests.Response:
        """Ask the admin API as the admin user."""
        return self.request(method, "/api" + path, json=json, auth=self.admin)

    def done(self, method: str, path: str, json: object = None) -> Any:  # noqa: ANN401 (JSON)
        """What the admin API responses to what must be right."""
        response = self.api(method, path, json)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def user(self, *, passphrase: str | None = None, **settings: object) -> tuple[str, str]:
        """A new repository user's e-mail and passphrase."""
        email = settings.pop("email", f"user{next(_numbers)}@example.com")
        given = {} if passphrase is None else {"passphrase": passphrase}
        made = self.done("POST", "/users", {"email": email, **given, **settings})
        return made["email"], passphrase or made["passphrase"]

    def repository(self, name: str | None = None, **settings: object) -> Index:
        """A new repository with a read/write user of its own."""
        name = name or f"demo{next(_numbers)}"
        self.done("POST", "/repositories", {"name": name, **settings})
        return Index(self, name, *self.user())

    def keys(self) -> set[str]:
        """The keys of all that is stored."""
        found = self.process.folder.glob("**/blobs/**/*")
        return {path.as_posix() for path in found if path.is_file()}

    def blobs(self) -> set[str]:
        """The keys of all blobs that are stored."""
        return {key for key in self.keys() if "blobs/" in key}

    def keeps_only_blobs(self, before: set[str]) -> bool:
        """Whether no blob is new; waits until that is so."""
        # Others' may go meanwhile, and what a refused upload left is removed after its response.
        wait_until(lambda: self.blobs() <= before, "the refused bytes to be gone")
        return True

    def close(self) -> None:
        self.session.close()


@dataclass(frozen=True)
class Index:
    """A repository, and who reads and writes it."""

    server: Server
    name: str
    username: str
    password: str = field(repr=False)

    @property
    def path(self) -> str:
        return f"/repositories/{self.name}"

    @property
    def url(self) -> str:
        return self.server.url + self.path

    @property
    def auth(self) -> tuple[str, str]:
        return self.username, self.password

    @property
    def index_url(self) -> str:
        """The URL with credentials in it."""
        login = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}"
        return self.url.replace("://", f"://{login}@", 1)

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": basic(*self.auth)}

    def request(self, method: str, below: str = "/", **options: Any) -> requests.Response:  # noqa: ANN401 (requests' own options)
        options.setdefault("auth", self.auth)
        return self.server.request(method, self.path + below, **options)

    def get(self, below: str = "/", **headers: str | None) -> requests.Response:
        """A page or a file; headers are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", below, headers=named)

    def json(self, below: str = "/demo/") -> Any:  # noqa: ANN401 (JSON)
        """A page as JSON."""
        response = self.get(below, Accept=JSON)
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == JSON
        return response.json()

    def files(self, project: str = "demo") -> dict[str, dict[str, Any]]:
        """A page's files by name."""
        return {file["filename"]: file for file in self.json(f"/{project}/")["files"]}

    def html(self, below: str = "/demo/") -> str:
        response = self.get(below)
        assert response.status_code == 200, response.text
        return response.text

    def file(self, archive: Archive, project: str = "demo") -> requests.Response:
        """The file, from where the project's page says that it is."""
        return self.linked(self.files(project)[archive.filename]["url"])

    def linked(self, url: str, page: str = "/demo/") -> requests.Response:
        """What a link on a page leads to."""
        absolute = urljoin(self.url + page, url)
        return self.server.session.get(absolute, auth=self.auth, timeout=SECONDS)

    def send(self, form: Form, below: str = "", **options: Any) -> requests.Response:  # noqa: ANN401 (requests' own options)
        """POST a form."""
        headers = {"Content-Type": form.content_type, **options.pop("headers", {})}
        return self.request("POST", below, data=form.body, headers=headers, **options)

    def post(self, fields: Iterable[Field], **options: Any) -> requests.Response:  # noqa: ANN401 (requests' own options)
        """POST these fields."""
        return self.send(encode(fields), **options)

    def upload(
        self, archive: Archive, *, name: str | None = None, **changes: str | None
    ) -> requests.Response:
        """Upload as a publisher does; a change to None leaves a field out."""
        return self.post(fields(archive, name=name, **changes))

    def publish(self, *archives: Archive) -> None:
        """Upload what must be accepted."""
        for archive in archives:
            response = self.upload(archive)
            assert response.status_code == 200, (archive.filename, response.reason)

    def api(self, method: str, below: str = "", json: object = None) -> requests.Response:
        return self.server.api(method, f"/repositories/{self.name}{below}", json)

    def done(self, method: str, below: str = "", json: object = None) -> Any:  # noqa: ANN401 (JSON)
        return self.server.done(method, f"/repositories/{self.name}{below}", json)

    def set(self, **settings: object) -> None:
        self.done("PATCH", json=settings)

    def journal(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.done("GET", "/requests")["requests"]
        return found
