"""A repository: a private package index, and credentials for it."""

from __future__ import annotations

import os
from copy import copy
from pathlib import Path
from sysconfig import get_path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cloudrepo_server.clients import Connection, config_file
from pytest_cloudrepo import _arguments, _paths
from pytest_cloudrepo._own_files import write_private
from pytest_cloudrepo._programs import command, own_tools
from pytest_cloudrepo._programs.network import NetworkGuard
from pytest_cloudrepo._programs.preloaded_tools import module_command
from pytest_cloudrepo._programs.secret import Secret, hide, issue
from pytest_cloudrepo._repository_api import RepositoryApi

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_cloudrepo._api import Api
    from pytest_cloudrepo._paths import StrPath
    from pytest_cloudrepo._programs.environment import Environment
    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.credentials import RepositoryUser, Token, TokenAsUsername
    from pytest_cloudrepo.trust import TrustedPublisher

_TWINE = module_command("twine", "--no-color", "upload", "--disable-progress-bar")


class Repository(RepositoryApi):
    """A private package index, and the credentials that a test's subprocesses use for it."""

    # With slots, assigning to a misspelled or read-only attribute is an error.
    __slots__ = ("_command_timeout", "_environment", "_network_guard", "user")

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
        super().__init__(api, name, url)
        self.user: RepositoryUser | Token | TokenAsUsername = user
        """The user or token whose credentials subprocesses have."""
        self._environment = environment
        self._command_timeout = command_timeout
        self._network_guard = NetworkGuard(self._call, url, environment.folder)

    def as_user(self, user: RepositoryUser | Token | TokenAsUsername) -> Repository:
        """Return the same repository with the credentials of another user, or a token."""
        other = copy(self)
        other.user = user
        return other

    @property
    def username(self) -> str:
        """The user name of the login. With a token, this may be `__token__` or the token itself."""
        return self.user.username

    @property
    def password(self) -> Secret:
        """The user's passphrase, or the token. Its `repr` is `'***'`."""
        return self.user.password

    @property
    def connection(self) -> Connection:
        """The URL, the name and the credentials, from which each tool's configuration is made."""
        return Connection(self.url, self.name, self.username, self.password)

    @property
    def index_url(self) -> Secret:
        """The URL with percent-encoded credentials. Its `repr` is `'***'`."""
        return Secret(self.connection.index_url)

    def upload(self, *paths: StrPath, check: bool = True) -> CommandResult:
        """Upload files with twine.

        Args:
            paths: the files, or patterns such as `dist/*`.
            check: whether to raise an exception if twine fails.

        Raises:
            CommandError: twine failed; the message has its output and the rejected requests.
            CommandTimeout: twine timed out.
        """
        __tracebackhide__ = True
        files = _paths.files(paths)
        environ = own_tools.environ(self.environ_for("twine"))
        return self._run([*_TWINE, *files], environ=environ, check=check)

    def run(
        self,
        *arguments: StrPath,
        environ: Mapping[str, str] | None = None,
        cwd: StrPath | None = None,
        check: bool = True,
    ) -> CommandResult:
        """Run a program with variables that make all tools use this repository and no other index.

        Args:
            arguments: the program and its arguments.
            environ: the program's environment variables. By default the property `environ`. The
                folder of the programs that are installed in the same environment as the tests is
                added at the beginning of the `PATH`.
            cwd: the program's working directory. By default that of the pytest process.
            check: whether to raise an exception if the exit status is not 0.

        Raises:
            CommandError: the program failed; the message has its output and the requests that the
                server rejected meanwhile.
            CommandTimeout: the program timed out.
            CloudRepoError: the program could not be started.
        """
        __tracebackhide__ = True
        _arguments.check_command(arguments)
        environ = self.environ if environ is None else command.by_name(environ)
        path = os.pathsep.join(filter(None, [get_path("scripts"), environ.get("PATH")]))
        return self._run(arguments, environ={**environ, "PATH": path}, cwd=cwd, check=check)

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables with which every tool uses this repository and no other index.

        They include the variables of the pytest process, without your own configuration of
        packaging tools. Pass them to `subprocess.run` as `env`.
        """
        return self._hidden(self._environment.for_all_tools(self.connection) | self.guard)

    def environ_for(self, tool: str, *, retries: int | None = None) -> dict[str, str]:
        """Return environment variables with which only one tool uses this repository.

        They include the variables of the pytest process, as `environ` does. No other tool has an
        index or credentials.

        Args:
            tool: pip, uv, twine, poetry, pdm, hatch, flit or tox.
            retries: how often the tool repeats a failed request. By default the tool decides.

        Raises:
            ValueError: the tool is unknown, or has no setting for retries.
        """
        environ = self._environment.for_tool(tool, self.connection, retries=retries)
        return self._hidden(environ | self.guard)

    @property
    def guard(self) -> dict[str, str]:
        """The environment variables that block every host but this server's.

        `environ` and `environ_for` contain them. Hosts that you allow with `allow_hosts` are not
        blocked. The journal lists blocked requests, and so does the report of a failed test.
        """
        __tracebackhide__ = True
        return self._network_guard.variables()

    def allow_hosts(self, *hosts: str) -> None:
        """Let programs reach these hosts too, if they are started from now on.

        Args:
            hosts: names such as `index.example.com`, without scheme and port.

        Raises:
            ValueError: an argument is not a host name.
        """
        __tracebackhide__ = True
        self._network_guard.allow(*map(_arguments.check_host, hosts))

    def impersonate(
        self,
        *urls: str,
        requires_login: bool = False,
        proxy_login: tuple[str, str] | None = None,
    ) -> dict[str, str]:
        """Return environment variables with which requests for these URLs reach this repository.

        They include the variables of the pytest process, as `environ` does. The tools have this
        repository's credentials, and use their own default index. At URLs outside of CloudRepo,
        clients can read without credentials, and each project also has PyPI's JSON page.

        Args:
            urls: the URLs of indexes or repositories, such as `https://index.example.com/simple/`.
                `pypi` and `testpypi` mean all URLs of PyPI and of its test instance.
            requires_login: whether clients need credentials to read, as at a private index.
            proxy_login: the user name and password of the proxy in the variables `HTTP_PROXY` and
                `HTTPS_PROXY`. Such a proxy has a port of its own. Requests without this login get a
                407, which the journal lists.

        Raises:
            ServerError: a URL is invalid, the extra `tls` is not installed, or the server has no
                proxy that can be reached.
        """
        __tracebackhide__ = True
        environ = self._environment.with_credentials(self.connection)
        guard = self._network_guard.impersonate(
            *urls, requires_login=requires_login, proxy_login=proxy_login
        )
        return self._hidden(environ | guard)

    def trust(
        self,
        provider: str,
        *,
        project: str | None = None,
        environment: str | None = None,
        **claims: str,
    ) -> TrustedPublisher:
        """Let a CI job publish with an identity token of its provider, and return the publisher.

        Args:
            provider: `github`, `gitlab`, `google`, `buildkite`, `circleci` or `activestate`.
            project: the only project that the job may publish, which it may create. By default
                every project.
            environment: the environment in which the job must run, on GitHub and GitLab. By default
                any environment, or none.
            claims: what identifies the job, such as `repository="acme/demo"` and
                `workflow="release.yml"`. The names depend on the provider.

        Raises:
            ServerError: the provider is unknown, a claim is missing or invalid, or the extra
                `trust` is not installed.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.trust import add_publisher  # few tests need it

        if environment is not None:
            claims["environment"] = environment
        return add_publisher(self._call, provider, claims, project)

    def ci_environ(self, provider: str, *urls: str, **claims: Any) -> dict[str, str]:  # noqa: ANN401 - JSON
        """Return the environment variables of a CI job, in which tools have no credentials.

        They include the variables of the pytest process, as `environ` does, except those that CI
        services set. The tools can request identity tokens. The repository is served at the URLs,
        and the keys of the identity provider at its own URL.

        Args:
            provider: `github`, `gitlab`, `google`, `buildkite` or `circleci`.
            urls: the URLs of indexes, as for `impersonate`. By default all URLs of PyPI.
            claims: what identifies the job, as for `trust`, and further claims of its identity
                tokens, such as `ref="refs/tags/v1.0"`. A claim that is None is left out.

        Raises:
            ValueError: the provider's jobs run no programs that request identity tokens.
            ServerError: a claim is missing or invalid; or a URL cannot be impersonated.
        """
        __tracebackhide__ = True
        from pytest_cloudrepo.trust import create_job, job_variables  # few tests need it

        job = create_job(self._call, provider, claims)
        environ = self._environment.without_credentials()
        environ |= self._network_guard.impersonate(*(urls or ("pypi",)), job=job)
        environ |= job_variables(job, self._environment.folder, environ)
        return hide(environ, job.request_token, *job.tokens.values())

    def identity_token(
        self,
        provider: str,
        *,
        audience: str = "pypi",
        expires_in: float | None = None,
        valid_in: float = 0.0,
        **claims: Any,  # noqa: ANN401 - JSON
    ) -> Secret:
        """Return an identity token of a CI job, as a `Secret`: its `repr` is `'***'`.

        Args:
            provider: the identity provider, as for `trust`.
            audience: the audience that the token is for.
            expires_in: the seconds after which it expires, which may be negative. By default the
                provider's lifetime.
            valid_in: the seconds before which it is not valid yet.
            claims: what identifies the job, as for `trust`, and further claims. They override all
                others, such as `iss` and `jti`. A claim that is None is left out.

        Raises:
            ServerError: the provider is unknown, or a claim is missing or invalid.
        """
        __tracebackhide__ = True
        body = {
            "provider": provider,
            "claims": claims,
            "audience": audience,
            "expires_in": expires_in,
            "valid_in": valid_in,
        }
        return issue(self._call("POST", "identity-tokens", json=body)["token"])

    def write_config(self, tool: str, directory: StrPath) -> Path:
        """Write a tool's configuration file for this repository, and return its path.

        Args:
            tool: a tool, as for `environ_for`, or `netrc`.
            directory: the folder for the file, which has the name that the tool expects.

        Raises:
            ValueError: the tool is unknown, or its file cannot contain these credentials.
        """
        return self._environment.write_config(tool, self.connection, _paths.one_path(directory))

    def pypirc(self, path: StrPath) -> Path:
        """Write a `.pypirc` for this repository, readable by you only, and return its path."""
        return write_private(_paths.one_path(path), config_file("twine", self.connection).text)

    def _hidden(self, environ: dict[str, str]) -> dict[str, str]:
        return hide(environ, self.user.secret, quote(self.user.secret, safe=""))

    def _run(
        self,
        arguments: Sequence[StrPath],
        *,
        environ: Mapping[str, str],
        cwd: StrPath | None = None,
        check: bool,
    ) -> CommandResult:
        __tracebackhide__ = True
        last_request = self.last_request
        result = command.run(
            arguments,
            environ=environ,
            cwd=cwd,
            timeout=self._command_timeout,
            check=False,
            secrets=[self.user.secret],
        )
        if result.ok:
            return result
        from pytest_cloudrepo._programs.explanation import explain  # few programs fail

        return explain(result, self.requests_of_program(since=last_request), check=check)
