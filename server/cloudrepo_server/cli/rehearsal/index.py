"""The index of a rehearsal: a repository at the URLs of a public index, and its clients."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from cloudrepo_server import clients
from cloudrepo_server.cli.clean_environment import clean_environment, create_home
from cloudrepo_server.cli.repository_settings import dependency_settings
from cloudrepo_server.testkit.impersonated_urls import IndexUrls
from cloudrepo_server.web.impersonation.creation import create_impersonation

if TYPE_CHECKING:
    from cloudrepo_server.domain.repository import Repository
    from cloudrepo_server.process.server import RunningServer
    from cloudrepo_server.specs.identity_providers.specification import PublisherSpecification

_HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsedIndex:
    """The repository that is served at the URLs of a public index.

    Programs reach it through the proxy, and trust its certificate.
    """

    name: str
    """The name of the public index, `pypi` or `testpypi`."""
    urls: clients.PublicIndex
    repository: Repository
    repository_url: str
    """The URL of the repository on its own server."""
    proxy: str = field(repr=False)
    """The URL of the proxy, with credentials."""
    certificate: str
    """The CA certificate, in the format PEM."""
    job: clients.CiJob | None = None
    """The CI job in which the command runs, if it publishes by trusted publishing."""
    token: str = field(repr=False, default="")
    """The token with which the command publishes, if it runs in no CI job."""

    def publishing_environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of the command, which publishes to the index.

        Args:
            folder: an empty folder for its home folder and other files.
        """
        environ = clean_environment(create_home(folder))
        if self.job is None:
            environ |= clients.token_variables(
                self.token, index=self.name, upload_url=self.urls.upload
            )
            if self.name == clients.DEFAULT_INDEX:
                # hatch uses no proxy, so it cannot reach the URLs of the public index.
                environ["HATCH_INDEX_REPO"] = self.repository_url
        else:
            environ = clients.without_ci(environ)
            job_folder = folder / "job"
            for file in self.job.files(job_folder):
                file.path.parent.mkdir(parents=True, exist_ok=True)
                file.path.write_text(file.text, encoding="utf-8")
                file.path.chmod(file.mode)
            environ |= self.job.variables(job_folder, environ)
        return self._connected(environ, folder)

    def installing_environment(self, folder: Path) -> dict[str, str]:
        """Return the environment of pip, without credentials.

        Args:
            folder: an empty folder for its home folder and other files.
        """
        return self._connected(clean_environment(create_home(folder), captured=True), folder)

    @property
    def secrets(self) -> list[str]:
        """The texts that no report may contain."""
        password = unquote(urlsplit(self.proxy).password or "")
        tokens = [] if self.job is None else [self.job.request_token, *self.job.tokens.values()]
        return [secret for secret in (password, self.token, *tokens) if secret]

    def tls_context(self) -> ssl.SSLContext:
        """Return the TLS context of a client that trusts the index."""
        return ssl.create_default_context(cadata=self.certificate)

    def _connected(self, environ: Mapping[str, str], folder: Path) -> dict[str, str]:
        bundle = folder / "ca.pem"
        bundle.write_text(self.certificate, encoding="ascii")
        connected = {
            **environ,
            **clients.proxy_variables(self.proxy, direct=clients.LOOPBACK.split(",")),
            **clients.ca_bundle_variables(str(bundle)),
        }
        if self.name != clients.DEFAULT_INDEX:
            # Tools upload to the index that the command names, but install from their default.
            connected |= clients.index_variables([self.urls.simple])
            connected["PDM_PYPI_URL"] = self.urls.simple
        return connected


async def create_index(
    server: RunningServer,
    name: str,
    *,
    publisher: PublisherSpecification | None,
    dependencies: str | None,
) -> RehearsedIndex:
    """Create the repository of a rehearsal, and serve it at the URLs of a public index.

    Args:
        server: the server.
        name: the name of the public index.
        publisher: the trusted publisher in whose job the command runs, or None.
        dependencies: the URL of the index that has all other projects, or None.

    Raises:
        CloudRepoServerError: a library is missing, or an argument is not valid.
    """
    urls = clients.public_index(name)
    organization = server.organization
    repository = await organization.create_repository(
        name,
        dialect="pypi",
        rules="pypi",
        **({} if dependencies is None else dependency_settings(dependencies)),
    )
    job, token = None, ""
    if publisher is None:
        _, token = await organization.tokens.create(repository.document)
    else:
        job = await _create_job(server, repository, publisher)
    created = await create_impersonation(
        organization,
        server.proxy,
        repository,
        urls=() if job is None else job.urls,
        indexes=[IndexUrls(**asdict(urls))],
        job=None if job is None else job.request_token,
    )
    return RehearsedIndex(
        name=name,
        urls=urls,
        repository=repository,
        repository_url=f"{server.url}/repositories/{repository.name}/",
        proxy=created.proxy_url(server.proxy, _HOST),
        certificate=created.certificate or "",
        job=job,
        token=token,
    )


async def _create_job(
    server: RunningServer, repository: Repository, publisher: PublisherSpecification
) -> clients.CiJob:
    from cloudrepo_server.web.trust.jobs import create_job

    provider, fields = publisher
    await server.organization.publishers.add(repository, provider, fields)
    # The document of the repository has the publisher now.
    repository = await server.organization.repository(repository.name)
    return await create_job(server.organization, repository, provider, fields, url=server.url)
