"""Reads from a repository: the root page, a project's page, a file and its core metadata."""

from collections.abc import Callable

import msgspec
from aiohttp import web
from cachetools import LRUCache

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, Project, RemoteFile
from cloudrepo_server.specs.dialect import CORE_METADATA, PROVENANCE
from cloudrepo_server.specs.provenance import PROVENANCE_SUFFIX, PROVENANCE_TYPE, provenance_json
from cloudrepo_server.specs.simple_api import (
    HTML,
    HTML_V1,
    JSON_V1,
    project_html,
    project_json,
    root_html,
    root_json,
)
from cloudrepo_server.web.http.file_response import file_response
from cloudrepo_server.web.http.responses import error_response
from cloudrepo_server.web.http.urls import origin_of, scheme_of
from cloudrepo_server.web.index.pages import PageCache, joined_header, negotiate, page_response
from cloudrepo_server.web.index.read_target import METADATA_SUFFIX, ReadTarget
from cloudrepo_server.web.index.remote_index import UpstreamClient
from cloudrepo_server.web.index.view import RepositoryView

_MAX_LISTINGS = 16


class Read(msgspec.Struct, frozen=True):
    """A read request: what it names, and the view of the repository that it reads from."""

    request: web.Request
    view: RepositoryView
    target: ReadTarget


class Reader:
    """Responds to read requests, and caches the pages and lists of projects."""

    def __init__(self, upstream_client: UpstreamClient) -> None:
        self._upstream_client = upstream_client
        self._pages = PageCache()
        self._listings: LRUCache[tuple[str, str], list[str]] = LRUCache(_MAX_LISTINGS)

    async def read(self, read: Read) -> web.StreamResponse:
        """Return the response, which is not sent yet.

        Raises:
            NotFoundError: the project or file does not exist.
        """
        if read.target.kind == "root":
            return await self._root_page(read)
        name = read.target.project
        project = await read.view.project(name, read.target.local_project)
        if project is None:
            raise read.view.project_not_found(name)
        if read.target.kind == "page":
            return self._project_page(read, project)
        try:
            return await self._file(read, project)
        except FileNotFoundError:
            # The file was replaced after the project's document was read. The new document names
            # the new file.
            changed = await read.view.read_project_again(name)
            if changed is None or changed.revision == project.revision:
                raise NotFoundError(
                    f"The content of {read.target.filename} no longer exists."
                ) from None
            return await self._file(read, changed)

    async def _file(self, read: Read, project: Project) -> web.StreamResponse:
        filename, view = read.target.filename, read.view
        attributes = view.dialect.attributes
        # The core metadata of a file take precedence over a published file of the same name.
        if CORE_METADATA in attributes and filename.endswith(METADATA_SUFFIX):
            described = project.files.get(filename.removesuffix(METADATA_SUFFIX))
            if isinstance(described, RemoteFile) and described.metadata_url is not None:
                return await self._upstream_client.forward(
                    read.request, described, described.metadata_url, view.via
                )
            if isinstance(described, File) and described.metadata_blob is not None:
                return await file_response(read.request, await view.metadata(described))
        if PROVENANCE in attributes and filename.endswith(PROVENANCE_SUFFIX):
            described = project.files.get(filename.removesuffix(PROVENANCE_SUFFIX))
            if described is not None and described.attestations is not None:
                content = provenance_json(described.attestations)
                return web.Response(body=content, content_type=PROVENANCE_TYPE)
        file = project.files.get(filename)
        if isinstance(file, RemoteFile):
            return await self._upstream_client.forward(read.request, file, file.url, view.via)
        if file is None:
            raise _file_not_found(read)
        return await file_response(read.request, view.file(file))

    async def _root_page(self, read: Read) -> web.Response:
        base, view = read.target.base, read.view
        revision = await view.listing_revision()
        names = await self._project_names(view, revision)
        return self._page(
            read,
            (base, view.id, revision),
            lambda: root_html(names, base=base),
            lambda: root_json(names, dialect=view.dialect),
        )

    async def _project_names(self, view: RepositoryView, revision: str) -> list[str]:
        key = view.id, revision
        names = self._listings.get(key)
        if names is None:
            names = self._listings[key] = await view.project_names()
        return names

    def _project_page(self, read: Read, project: Project) -> web.Response:
        base, dialect = read.target.base, read.view.dialect
        if not project.files and dialect.empty_project_status != web.HTTPOk.status_code:
            raise NotFoundError(f"The project {project.name} has no files.")
        # PEP 740: the URL of a provenance file is absolute, with the scheme https.
        origin = origin_of(read.request) if scheme_of(read.request) == "https" else None
        return self._page(
            read,
            (base, read.view.id, project.name, project.revision, origin or ""),
            lambda: project_html(project, base=base, dialect=dialect, origin=origin),
            lambda: project_json(project, base=base, dialect=dialect, origin=origin),
        )

    def _page(
        self,
        read: Read,
        key: tuple[str, ...],
        render_html: Callable[[], bytes],
        render_json: Callable[[], bytes],
    ) -> web.Response:
        request, dialect = read.request, read.view.dialect
        content_type: str | None = HTML
        if dialect.json_version is not None:
            content_type = negotiate(joined_header(request, "Accept"), request.query.get("format"))
        if content_type is None:
            return error_response(
                406,
                f"No acceptable content type: use {JSON_V1}, {HTML_V1} or {HTML}.",
                {"Vary": "Accept"},
            )
        form, render = ("json", render_json) if content_type == JSON_V1 else ("html", render_html)
        page = self._pages.get((dialect.name, form, *key), render)
        return page_response(request, page, content_type)


def _file_not_found(read: Read) -> NotFoundError:
    return NotFoundError(
        f"There is no file {read.target.filename} in the project {read.target.project}."
    )
