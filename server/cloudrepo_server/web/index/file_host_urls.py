"""The URLs of the files of a request's repository, if they are on another host than the index."""

from aiohttp import web
from yarl import URL

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.file_urls import OTHER_HOST, REDIRECT, FileUrls
from cloudrepo_server.web.http.paths import FILES
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.urls import host_of, origin_of, prefix_of
from cloudrepo_server.web.index.read_target import ReadTarget

# The kinds of requests whose responses contain such URLs.
_KINDS = {OTHER_HOST: ("page", "json"), REDIRECT: ("file", "metadata")}
_LOCALHOST = "localhost"
_LOOPBACK_ADDRESSES = ("127.0.0.1", "::1")


class FileHostUrls:
    """The URLs of files on another host, for the repositories whose files are not on the index."""

    def __init__(self, organization: Organization, url: str | None) -> None:
        """Prepare the URLs.

        Args:
            organization: the organization, which has the key of the URLs.
            url: the URL at which clients reach this server under another host name. By default,
                the other name of the loopback address is used.
        """
        self._organization = organization
        self._url = url

    async def file_urls(
        self, request: web.Request, repository: Repository, target: ReadTarget
    ) -> FileUrls | None:
        """Return the URLs of files on the other host, if the response to a request contains them.

        If only the dialect requires another host, and there is none, the index serves the files.

        Raises:
            InvalidError: the server has no other host name.
            StorageError: the store did not respond.
        """
        if target.kind not in _KINDS.get(repository.place_of_files, ()):
            return None
        base = self._base(request, repository)
        if base is None:
            return None
        return FileUrls(
            f"{base}{FILES}/{repository.name}",
            repository.document.id,
            await self._organization.file_url_key.read(),
        )

    def _base(self, request: web.Request, repository: Repository) -> str | None:
        base = state_of(request).file_host_url or self._url or _other_loopback_url(request)
        if base is None:
            if repository.document.files is None:
                # The dialect alone decides, so the index can serve the files.
                return None
            raise InvalidError(
                f"The files of the repository {repository.name} must be on another host, but this "
                "server has one host name only: start it with --files-url, or set files to index."
            )
        return base.rstrip("/")


def _other_loopback_url(request: web.Request) -> str | None:
    """Return the URL of this server with the other name of its loopback address, or None."""
    host = host_of(request)
    if host in _LOOPBACK_ADDRESSES:
        other: str | None = _LOCALHOST
    elif host == _LOCALHOST and request.transport is not None:
        address = request.transport.get_extra_info("sockname")
        other = address[0] if address and address[0] in _LOOPBACK_ADDRESSES else None
    else:
        other = None
    if other is None:
        return None
    return str(URL(origin_of(request)).with_host(other)).rstrip("/") + prefix_of(request)
