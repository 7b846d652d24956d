"""The part of `Repository` that uses the admin API: settings, files, the journal and faults."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from pytest_cloudrepo import _paths, settings
from pytest_cloudrepo._distributions.upload_time import iso_format
from pytest_cloudrepo.errors import ServerError
from pytest_cloudrepo.fault import Fault, fault_to_json
from pytest_cloudrepo.journal import Journal, Request, describe_rejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pytest_cloudrepo._api import Api, Json
    from pytest_cloudrepo._paths import StrPath
    from pytest_cloudrepo.graph import Graph
    from pytest_cloudrepo.scenario import Scenario
    from pytest_cloudrepo.snapshot import Snapshot


class RepositoryApi:
    """The operations on a repository that use the admin API: the base class of `Repository`."""

    __slots__ = ("_api", "name", "url")

    def __init__(self, api: Api, name: str, url: str) -> None:
        self.name = name
        """The repository's name on the server."""
        self.url = url
        """The repository's URL, without credentials."""
        self._api = api

    def __repr__(self) -> str:
        return f"<Repository {self.name!r} at {self.url}>"

    @property
    def overwrite_protection(self) -> bool:
        """Whether uploads that would replace an existing file are rejected.

        You can change it at any time: `cloudrepo.overwrite_protection = True`.
        """
        __tracebackhide__ = True
        return bool(self._call("GET")["overwrite_protection"])

    @overwrite_protection.setter
    def overwrite_protection(self, protected: bool) -> None:
        __tracebackhide__ = True
        self._call("PATCH", json=settings.to_json({"overwrite_protection": protected}))

    @property
    def public_url(self) -> str:
        """The URL for reads without credentials, if the setting `public` allows them."""
        __tracebackhide__ = True
        return str(self._call("GET")["public_url"])

    @property
    def https_url(self) -> str:
        """The repository's URL over HTTPS. Clients must trust the certificate `Server.ca`."""
        __tracebackhide__ = True
        from pytest_cloudrepo.https import https_url  # few tests need it

        return https_url(self._api, self.url)

    @property
    def mutual_tls_url(self) -> str:
        """The URL over HTTPS at which clients need the certificate `Server.client_certificate`."""
        __tracebackhide__ = True
        from pytest_cloudrepo.https import https_url  # few tests need it

        return https_url(self._api, self.url, client_certificates=True)

    @property
    def settings(self) -> dict[str, Any]:
        """The repository and its settings, as the admin API returns them."""
        __tracebackhide__ = True
        settings: dict[str, Any] = self._call("GET")
        return settings

    def publish(self, *paths: StrPath, upload_time: datetime | str | None = None) -> None:
        """Add files through the admin API, in milliseconds.

        The same rules apply as to an upload, overwrite protection included. Of PyPI's rules, only
        those about existing and deleted file names apply, so that you can add old releases.

        Args:
            paths: the files, or patterns such as `dist/*`.
            upload_time: the upload time that the index shows, with a time zone; a string must be
                in ISO 8601. By default the current time.

        Raises:
            ServerError: the server rejected a file. The files before it were added.
        """
        __tracebackhide__ = True
        query = None if upload_time is None else {"upload_time": iso_format(upload_time)}
        for path in _paths.files(paths):
            with path.open("rb") as file:
                self._call("PUT", "files", path.name, body=file, query=query)

    def publish_folder(self, path: StrPath, *, upload_time: datetime | str | None = None) -> None:
        """Add all wheels and sdists in a folder and its subfolders, at hundreds per second.

        The files are checked and added one by one as by `publish`, but sent with few requests.
        Other files, and those whose name begins with a dot, are ignored.

        Args:
            path: the folder.
            upload_time: the upload time of all files, as for `publish`.

        Raises:
            CloudRepoError: the folder does not exist, or contains no wheel and no sdist.
            ServerError: the server rejected a file. The files before it were added.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo import _folder_files as folder_files  # few tests need these
        from pytest_cloudrepo._new_files import put_files

        time = None if upload_time is None else iso_format(upload_time)
        found = folder_files.distributions(_paths.one_path(path))
        large = [file for file in found if file.stat().st_size > folder_files.LARGE_FILE]
        small = [file for file in found if file not in large]
        put_files(self._call, folder_files.new_files(small, time))
        if large:
            self.publish(*large, upload_time=upload_time)

    def publish_all(self, graph: Graph) -> None:
        """Create the distributions of a dependency graph, and add them as `publish` does.

        Args:
            graph: the requirements of each version of each project, as in
                `{"a": {"1.0": ["b<2"]}, "b": {"1.0": []}}`. Instead of a list of requirements, a
                release can have a mapping with more details: see `ReleaseDetails`.

        Raises:
            PackageError: a release is invalid; the message names it. No file was added.
            ServerError: the server rejected a file. The files before it were added.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo._new_files import put_files  # few tests need these
        from pytest_cloudrepo.graph import publications

        put_files(self._call, publications(graph))

    def load_scenario(self, path: StrPath, *, name: str | None = None) -> Scenario:
        """Add the packages of a packse scenario to the repository, and return the scenario.

        Args:
            path: the scenario's file, TOML or JSON.
            name: the name of the scenario, if the file contains several.

        Raises:
            ScenarioError: the file or one of its releases is invalid.
            ServerError: the server rejected a file. The files before it were added.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.scenario import read_scenario  # few tests need it

        scenario = read_scenario(_paths.one_path(path), name=name)
        self.publish_all(scenario.packages)
        return scenario

    def load_snapshot(self, path: StrPath) -> Snapshot:
        """Add the releases of a snapshot to the repository, and return the snapshot.

        The wheels contain the recorded metadata and no modules.

        Args:
            path: the file that `cloudrepo-server snapshot` wrote.

        Raises:
            ScenarioError: the file or one of its releases is invalid. No file was added.
            ServerError: the server rejected a file. The files before it were added.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo._new_files import put_files  # few tests need these
        from pytest_cloudrepo.snapshot import read_snapshot

        snapshot, files = read_snapshot(_paths.one_path(path))
        put_files(self._call, files)
        return snapshot

    def files(self, project: str) -> list[str]:
        """Return the sorted names of a project's files; an empty list if there is no project."""
        __tracebackhide__ = True
        return sorted(file["filename"] for file in self._files(project))

    def versions(self, project: str) -> list[str]:
        """Return a project's versions in ascending order; an empty list if there is no project."""
        __tracebackhide__ = True
        from pytest_cloudrepo._versions import sort_versions  # few tests need it

        files = self._files(project)
        return sort_versions({file["version"] for file in files if file["version"] is not None})

    def yank(self, filename: str, reason: str = "") -> None:
        """Yank a file: installers ignore it unless its exact version is requested."""
        __tracebackhide__ = True
        self._call("PATCH", "files", filename, json={"yanked": reason or True})

    def unyank(self, filename: str) -> None:
        """Make a yanked file available again."""
        __tracebackhide__ = True
        self._call("PATCH", "files", filename, json={"yanked": False})

    def delete(self, filename: str) -> None:
        """Delete a file."""
        __tracebackhide__ = True
        self._call("DELETE", "files", filename)

    def set_status(
        self,
        project: str,
        status: Literal["active", "archived", "quarantined", "deprecated"],
        reason: str | None = None,
    ) -> None:
        """Set a project's status marker (PEP 792)."""
        __tracebackhide__ = True
        self._call("PATCH", "projects", project, json={"status": status, "reason": reason})

    @property
    def requests(self) -> Journal:
        """The requests that the repository received so far, with their responses."""
        __tracebackhide__ = True
        return self.requests_since(0)

    def requests_since(self, number: int) -> Journal:
        """Return the requests that are newer than the one with this number.

        With it, a test can read its own requests to a repository that it shares with other tests.

        Args:
            number: the value of `last_request` before the first of these requests.
        """
        __tracebackhide__ = True
        entries = self._call("GET", "requests", query={"after": number})["requests"]
        return Journal(map(Request.from_json, entries), lambda: self._call("DELETE", "requests"))

    @property
    def last_request(self) -> int | None:
        """The number of the newest request to the repository, for `requests_since` and `explain`.

        Requests are numbered from 1. It is 0 before the first request, and None if the server keeps
        no journal or does not respond.
        """
        try:
            journal = self._call("GET", "requests", query={"limit": 0})
        except ServerError:
            return None
        number: int | None = journal.get("last")  # servers of older versions do not number requests
        return number

    def explain(self, *, since: int | None = 0) -> str:
        """Return the newest rejected requests, one per line; an empty string if there are none.

        Args:
            since: only return requests after the one with this number, a value of `last_request`.
        """
        return describe_rejected(self.requests_of_program(since=since))

    def requests_of_program(self, *, since: int | None) -> list[Request]:
        """Return the requests that the repository received since a program started.

        The list is empty if they are unknown: the server keeps no journal, or does not respond.

        Args:
            since: the value of `last_request` before the program started; None if it was unknown.
        """
        if since is None:
            return []
        try:
            return self.requests_since(since)
        except ServerError:
            return []

    def report_test(self, result: Mapping[str, Any]) -> None:
        """Send the outcome of the test that uses the repository to the server, for the portal.

        Args:
            result: the test's `node_id`, its `outcome` and its `seconds`.
        """
        self._call("PUT", "test", json=result)

    def fault(
        self,
        kind: str,
        *,
        times: int | None = None,
        every: int = 1,
        method: str | None = None,
        path: str = "*",
        project: str | None = None,
        user: str | None = None,
        **details: object,
    ) -> Fault:
        """Make requests to the repository fail, until the fault is removed.

        A fault affects the requests that match `method`, `path`, `project` and `user`. Calls of the
        admin API, such as `publish`, are never affected.

        Args:
            kind: `status`, `latency`, `drip`, `reset`, `truncate`, `corrupt`, `wrong-hash`,
                `wrong-metadata-hash`, `missing-metadata`, `stale-page`, `stored-then-error`,
                `redirect`, `html-error-page`, `wrong-content-type`, `ignore-range`, `wrong-range`,
                `wrong-size`, `other-metadata`, `close-keep-alive`, `slow-headers` or
                `missing-etag`.
            times: the largest number of requests to affect. By default there is no limit.
            every: affect only every n-th matching request.
            method: GET, HEAD or POST. By default any method.
            path: a glob pattern for the path below the repository's URL.
            project: the name of a project. By default any project.
            user: the name of a user. By default any user.
            details: the options of the kind: `status`, `reason`, `headers`, `seconds`,
                `bytes_per_second`, `when`, `keep`, `location`, `content_type`, `content`.

        Raises:
            ServerError: the kind is unknown, or a detail is invalid.
        """
        __tracebackhide__ = True
        body = fault_to_json(
            kind,
            times=times,
            every=every,
            method=method,
            path=path,
            project=project,
            user=user,
            **details,
        )
        return Fault(kind, self._call("POST", "faults", json=body)["id"], self._call)

    def _files(self, project: str) -> list[dict[str, Any]]:
        __tracebackhide__ = True
        try:
            files: list[dict[str, Any]] = self._call("GET", "projects", project)["files"]
        except ServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._call("GET")  # raises if the repository itself does not exist
            return []
        return files

    def _call(self, method: str, *path: str, **options: Any) -> Json:  # noqa: ANN401 - as Api.call
        __tracebackhide__ = True
        return self._api.call(method, "repositories", self.name, *path, **options)
