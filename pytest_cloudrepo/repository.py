"""A repository on a server: one private index, and all that a test does with it."""

from __future__ import annotations

import os
import sys
from copy import copy
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from sysconfig import get_path
from typing import IO, TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from cloudrepo_server.clients import Connection, config_file
from pytest_cloudrepo import _arguments
from pytest_cloudrepo._distributions.upload_time import iso_format
from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.environment import write_private
from pytest_cloudrepo._programs.network import NetworkGuard
from pytest_cloudrepo._programs.result import CommandError
from pytest_cloudrepo._programs.secret import Secret, hide
from pytest_cloudrepo.errors import ServerError
from pytest_cloudrepo.fault import Fault, describe
from pytest_cloudrepo.journal import Journal, Request
from pytest_cloudrepo.settings import checked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pytest_cloudrepo._api import Api
    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.credentials import RepositoryUser, Token
    from pytest_cloudrepo.graph import Graph
    from pytest_cloudrepo.scenario import Scenario

EXPLAINED = 10
TWINE = (sys.executable, "-P", "-m", "twine", "--no-color", "upload", "--disable-progress-bar")


class Repository:
    """A private index and a login that opens it."""

    # So that to set what is misspelled, or cannot be set here, is an error.
    __slots__ = ("_api", "_environment", "_network_guard", "_timeout", "name", "url", "user")

    def __init__(
        self,
        api: Api,
        name: str,
        url: str,
        user: RepositoryUser,
        *,
        environment: Environment,
        command_timeout: float,
    ) -> None:
        self.name = name
        """Its name on the server."""
        self.url = url
        """Where it is, without credentials."""
        self.user: RepositoryUser | Token = user
        """Whose login its programs have."""
        self._api = api
        self._environment = environment
        self._timeout = command_timeout
        self._network_guard = NetworkGuard(self._call, url, environment.folder)

    def __repr__(self) -> str:
        return f"<Repository {self.name!r} at {self.url}>"

    def as_user(self, user: RepositoryUser | Token) -> Repository:
        """The same repository, with another user's login, or a token."""
        other = copy(self)
        other.user = user
        return other

    @property
    def username(self) -> str:
        """The user's e-mail address; with a token, `__token__`."""
        return self.user.username

    @property
    def password(self) -> Secret:
        """The user's passphrase, or the token; programs can use it, its `repr` hides it."""
        return self.user.password

    @property
    def connection(self) -> Connection:
        """Where it is and as whom, for the tools' variables and configuration files."""
        return Connection(self.url, self.name, self.username, self.password)

    @property
    def index_url(self) -> Secret:
        """The URL with the credentials in it, percent-encoded."""
        return Secret(self.connection.index_url)

    @property
    def overwrite_protection(self) -> bool:
        """Whether other bytes under an existing file name are refused, from now on."""
        __tracebackhide__ = True
        return bool(self._call("GET")["overwrite_protection"])

    @overwrite_protection.setter
    def overwrite_protection(self, protected: bool) -> None:
        __tracebackhide__ = True
        self._call("PATCH", json=checked({"overwrite_protection": protected}))

    def upload(self, *paths: str | Path, check: bool = True) -> CommandResult:
        """Upload files with twine.

        Args:
            paths: the files, or patterns, as twine takes them.
            check: whether a failure raises.

        Raises:
            CommandError: twine failed; it shows twine's output and what the server refused.
            CommandTimeout: it took too long.
        """
        __tracebackhide__ = True
        _arguments.files(paths)
        return self._run([*TWINE, *paths], environ=self.environ_for("twine"), check=check)

    def run(
        self,
        *arguments: str | Path,
        environ: Mapping[str, str] | None = None,
        cwd: str | Path | None = None,
        check: bool = True,
    ) -> CommandResult:
        """Run a program with every tool pointed here and nowhere else.

        Args:
            arguments: the program and its arguments. The programs that are installed beside the
                tests' Python are found first.
            environ: its complete environment; that of the property `environ` if left out.
            cwd: the folder that it runs in; the current one if left out.
            check: whether an exit status other than 0 raises.

        Raises:
            CommandError: it failed; it shows the output and what the server refused meanwhile.
            CommandTimeout: it took too long.
            CloudRepoError: it could not be started.
        """
        __tracebackhide__ = True
        _arguments.program(arguments)
        environ = self.environ if environ is None else environ
        path = os.pathsep.join(filter(None, [get_path("scripts"), environ.get("PATH")]))
        return self._run(arguments, environ={**environ, "PATH": path}, cwd=cwd, check=check)

    def publish(self, *paths: str | Path, upload_time: datetime | str | None = None) -> None:
        """Put files into the repository through the admin API.

        The same rules hold as for an upload, overwrite protection included.

        Args:
            paths: the files.
            upload_time: when the index is to say that they came, in ISO 8601 with a time zone.

        Raises:
            ServerError: the server refused one; those before it are there.
        """
        __tracebackhide__ = True
        time = None if upload_time is None else iso_format(upload_time)
        for path in _arguments.files(paths):
            with path.open("rb") as file:
                self._put(path.name, file, time)

    def publish_all(self, graph: Graph) -> None:
        """Put the releases of a dependency graph into the repository, as `publish` does.

        Args:
            graph: what each version of each project requires, as in
                `{"a": {"1.0": ["b<2"]}, "b": {"1.0": []}}`, or a mapping that says more of it:
                see `ReleaseDetails`. Of a graph that is not valid nothing is published.

        Raises:
            PackageError: a release is not valid; the message names it.
            ServerError: the server refused a file; those before it are there.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.graph import publications  # few tests ask

        for one in publications(graph):
            filename = one.distribution.filename
            self._put(filename, BytesIO(one.distribution.content), one.upload_time)
            if one.yanked is not False:
                self.yank(filename, "" if one.yanked is True else one.yanked)

    def load_scenario(self, path: str | Path, *, name: str | None = None) -> Scenario:
        """Put a scenario of packse's into the repository, under its own names, and give it.

        Args:
            path: its file, TOML or JSON.
            name: which scenario of the file it is, where there are several.

        Raises:
            ScenarioError: it is not a scenario, or one of its releases is not valid.
            ServerError: the server refused a file; those before it are there.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.scenario import read_scenario  # few tests ask

        scenario = read_scenario(Path(path), name=name)
        self.publish_all(scenario.packages)
        return scenario

    def files(self, project: str) -> list[str]:
        """The names of a project's files, sorted; none for a project that is not there."""
        __tracebackhide__ = True
        return sorted(file["filename"] for file in self._files(project))

    def versions(self, project: str) -> list[str]:
        """A project's versions, in version order; none for a project that is not there."""
        __tracebackhide__ = True
        from pytest_cloudrepo._versions import in_order  # few tests ask

        found = {file["version"] for file in self._files(project) if file["version"] is not None}
        return in_order(found)

    def yank(self, filename: str, reason: str = "") -> None:
        """Ask installers to pass over a file unless it is named exactly."""
        __tracebackhide__ = True
        self._call("PATCH", "files", filename, json={"yanked": reason or True})

    def unyank(self, filename: str) -> None:
        """Take a yank back."""
        __tracebackhide__ = True
        self._call("PATCH", "files", filename, json={"yanked": False})

    def delete(self, filename: str) -> None:
        """Remove a file."""
        __tracebackhide__ = True
        self._call("DELETE", "files", filename)

    def set_status(
        self,
        project: str,
        status: Literal["active", "archived", "quarantined", "deprecated"],
        reason: str | None = None,
    ) -> None:
        """Mark a project, as PEP 792 describes."""
        __tracebackhide__ = True
        self._call("PATCH", "projects", project, json={"status": status, "reason": reason})

    @property
    def requests(self) -> Journal:
        """What the repository was asked, and what it answered, until now."""
        __tracebackhide__ = True
        entries = self._call("GET", "requests")["requests"]
        return Journal(map(Request.from_json, entries), lambda: self._call("DELETE", "requests"))

    def explain(self, *, since: int = 0) -> str:
        """The newest requests that the server refused, one a line; empty where there are none."""
        refused = [one for one in self._answered()[since:] if one.refused]
        return "\n".join(map(str, refused[-EXPLAINED:]))

    @property
    def environ(self) -> dict[str, str]:
        """A complete environment for a program, with every tool pointed here and nowhere else."""
        return self._hidden(self._environment.everything(self.connection) | self.guard)

    def environ_for(self, tool: str, *, retries: int | None = None) -> dict[str, str]:
        """A complete environment for a program, with this tool pointed here and nowhere else.

        Args:
            tool: pip, uv, twine, poetry, pdm, hatch, flit or tox.
            retries: how often the tool may repeat a failed request; its own choice if left out.

        Raises:
            ValueError: the tool is not known, or has no such setting.
        """
        told = self._environment.for_tool(tool, self.connection, retries=retries)
        return self._hidden(told | self.guard)

    @property
    def guard(self) -> dict[str, str]:
        """The variables that keep a program from every host but the server and those allowed.

        What it tried all the same stands in `requests`, and in the report if the test fails.
        """
        __tracebackhide__ = True
        return self._network_guard.variables()

    def allow_hosts(self, *hosts: str) -> None:
        """Let programs reach these hosts too, those that are started from now on."""
        __tracebackhide__ = True
        self._network_guard.allow(*map(_arguments.host, hosts))

    def impersonate(self, *urls: str) -> dict[str, str]:
        """A complete environment in which a program that opens one of these URLs lands here.

        The publishers' logins are this repository's, and its tools keep their own default URLs.
        Where a URL is not that of a CloudRepo repository, anybody may read, and PyPI's JSON page
        of a project is there too.

        Raises:
            ServerError: a URL is wrong, or the extra `tls` is not installed.
        """
        __tracebackhide__ = True
        return self._hidden(
            self._environment.open(self.connection) | self._network_guard.impersonate(*urls)
        )

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
        """Produce a failure from now on, until it is removed.

        Args:
            kind: status, latency, drip, reset, truncate, corrupt, wrong-hash,
                wrong-metadata-hash, missing-metadata, stale-page or stored-then-error.
            times: how often it strikes at most.
            every: strike every so many requests that match.
            method: GET, HEAD or POST alone.
            path: a glob of the path below the repository.
            project: one project's requests alone.
            user: one user's requests alone.
            details: what the kind takes: `status`, `reason`, `headers`, `seconds`,
                `bytes_per_second`, `when`, `keep`.

        Raises:
            ServerError: there is no such kind, or a detail is wrong.
        """
        __tracebackhide__ = True
        told = describe(
            kind,
            times=times,
            every=every,
            method=method,
            path=path,
            project=project,
            user=user,
            **details,
        )
        return Fault(kind, self._call("POST", "faults", json=told)["id"], self._call)

    def write_config(self, tool: str, directory: str | Path) -> Path:
        """Write the file that configures the tool for this repository, and give its path."""
        return self._environment.write_config(tool, self.connection, Path(directory))

    def pypirc(self, path: str | Path) -> Path:
        """Write a `.pypirc` for this repository to PATH, for its owner's eyes only."""
        return write_private(Path(path), config_file("twine", self.connection).text)

    def _hidden(self, environ: dict[str, str]) -> dict[str, str]:
        return hide(environ, self.password, quote(self.password, safe=""))

    def _run(
        self,
        arguments: Sequence[str | Path],
        *,
        environ: Mapping[str, str],
        cwd: str | Path | None = None,
        check: bool,
    ) -> CommandResult:
        __tracebackhide__ = True
        before = len(self._answered())
        result = command.run(
            arguments,
            environ=environ,
            cwd=cwd,
            timeout=self._timeout,
            check=False,
            secrets=[self.password],
        )
        if check and not result.ok:
            raise CommandError(result, server_said=self.explain(since=before))
        return result

    def _answered(self) -> list[Request]:
        try:
            return self.requests
        except ServerError:  # it keeps no journal, or is gone
            return []

    def _put(self, filename: str, body: IO[bytes], upload_time: str | None) -> None:
        __tracebackhide__ = True
        query = {"upload_time": upload_time} if upload_time else None
        self._call("PUT", "files", filename, body=body, query=query)

    def _files(self, project: str) -> list[dict[str, Any]]:
        __tracebackhide__ = True
        try:
            found: list[dict[str, Any]] = self._call("GET", "projects", project)["files"]
        except ServerError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            self._call("GET")  # which fails if it is the repository that is gone
            return []
        return found

    def _call(self, method: str, *path: str, **options: Any) -> Any:  # noqa: ANN401 - as Api.call
        __tracebackhide__ = True
        return self._api.call(method, "repositories", self.name, *path, **options)
