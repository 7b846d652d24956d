"""A server and its repositories, as tests use them: over HTTP."""

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
    """A running server."""

    def __init__(self, process: ServerProcess) -> None:
        state = process.state()
        self.process = process
        self.url: str = state["url"]
        self.organization: str = state["organization"]
        self.admin: tuple[str, str] = (state["admin"]["username"], state["admin"]["password"])
        self.session = requests.Session()
        self.session.trust_env = False
        self._named_users: list[str] = []

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 (requests' own options)
        options.setdefault("timeout", SECONDS)
        options.setdefault("allow_redirects", False)
        return self.session.request(method, self.url + path, **options)

    def api(self, method: str, path: str, json: object = None) -> requests.Response:
        """Send a request to the admin API as the admin user."""
        return self.request(method, "/api" + path, json=json, auth=self.admin)

    def api_json(self, method: str, path: str, json: object = None) -> Any:  # noqa: ANN401 (JSON)
        """Send a request to the admin API that must succeed; return the decoded response."""
        response = self.api(method, path, json)
        assert response.status_code < 300, response.text
        return response.json() if response.content else None

    def user(self, *, passphrase: str | None = None, **settings: object) -> tuple[str, str]:
        """Create a repository user, and return the user name and passphrase."""
        is_named = "email" in settings
        email = settings.pop("email", f"user{next(_numbers)}@example.com")
        given = {} if passphrase is None else {"passphrase": passphrase}
        made = self.api_json("POST", "/users", {"email": email, **given, **settings})
        if is_named:
            self._named_users.append(made["email"])
        return made["email"], passphrase or made["passphrase"]

    def delete_named_users(self) -> None:
        """Delete the users whose name a test chose: another test may choose it too."""
        while self._named_users:
            response = self.api("DELETE", "/users/" + quote(self._named_users.pop(), safe=""))
            assert response.status_code in (200, 204, 404), response.text

    def repository(self, name: str | None = None, **settings: object) -> Index:
        """Create a repository and a read/write user for it."""
        name = name or f"demo{next(_numbers)}"
        self.api_json("POST", "/repositories", {"name": name, **settings})
        return Index(self, name, *self.user())

    def keys(self) -> set[str]:
        """Return the keys of all stored objects."""
        found = self.process.folder.glob("**/blobs/**/*")
        return {path.as_posix() for path in found if path.is_file()}

    def blobs(self) -> set[str]:
        """Return the keys of all stored blobs."""
        return {key for key in self.keys() if "blobs/" in key}

    def wait_until_only_blobs(self, before: set[str]) -> bool:
        """Wait until every stored blob is one of `before`, and return True."""
        # Other tests may delete blobs meanwhile, and the blob of a rejected upload is deleted only
        # after the response.
        wait_until(lambda: self.blobs() <= before, "the blobs of rejected uploads to be deleted")
        return True

    def close(self) -> None:
        self.session.close()


@dataclass(frozen=True)
class Index:
    """A repository and a user who may read and write it."""

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
        """GET a page or a file; headers are given with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", below, headers=named)

    def json(self, below: str = "/demo/") -> Any:  # noqa: ANN401 (JSON)
        """Return a page as JSON."""
        response = self.get(below, Accept=JSON)
        assert response.status_code == 200, response.text
        assert response.headers["Content-Type"] == JSON
        return response.json()

    def files(self, project: str = "demo") -> dict[str, dict[str, Any]]:
        """Return the files of a project's page by name."""
        return {file["filename"]: file for file in self.json(f"/{project}/")["files"]}

    def html(self, below: str = "/demo/") -> str:
        response = self.get(below)
        assert response.status_code == 200, response.text
        return response.text

    def file(self, archive: Archive, project: str = "demo") -> requests.Response:
        """Download a file from the URL on its project's page."""
        return self.linked(self.files(project)[archive.filename]["url"])

    def linked(self, url: str, page: str = "/demo/") -> requests.Response:
        """Download the target of a link on a page."""
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
        """Upload a file as a publisher does; None removes a field from the form."""
        return self.post(fields(archive, name=name, **changes))

    def publish(self, *archives: Archive) -> None:
        """Upload files that must be accepted."""
        for archive in archives:
            response = self.upload(archive)
            assert response.status_code == 200, (archive.filename, response.reason)

    def add(self, *archives: Archive, upload_time: str | None = None) -> None:
        """Add files through the admin API, which leaves no entry in the journal."""
        for archive in archives:
            response = self.server.request(
                "PUT",
                f"/api{self.path}/files/{archive.filename}",
                params={} if upload_time is None else {"upload_time": upload_time},
                data=archive.data,
                auth=self.server.admin,
            )
            assert response.status_code < 300, (archive.filename, response.text)

    def token(self, **settings: object) -> dict[str, Any]:
        """Create an access token for the repository, and return its settings and its value."""
        created: dict[str, Any] = self.server.api_json(
            "POST", "/tokens", {"repository": self.name, **settings}
        )
        return created

    def api(self, method: str, below: str = "", json: object = None) -> requests.Response:
        return self.server.api(method, f"/repositories/{self.name}{below}", json)

    def api_json(self, method: str, below: str = "", json: object = None) -> Any:  # noqa: ANN401 (JSON)
        return self.server.api_json(method, f"/repositories/{self.name}{below}", json)

    def set(self, **settings: object) -> None:
        self.api_json("PATCH", json=settings)

    def journal(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api_json("GET", "/requests")["requests"]
        return found
