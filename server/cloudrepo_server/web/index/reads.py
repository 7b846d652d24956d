"""Reads from a repository: pages, files, core metadata, and resources of PyPI's own APIs."""

from collections.abc import Callable, Hashable, Sequence
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from cachetools import LRUCache

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, Project, RemoteFile, SerialsDocument
from cloudrepo_server.specs.dialect import CORE_METADATA, PROVENANCE
from cloudrepo_server.specs.file_urls import FileUrls
from cloudrepo_server.specs.filenames import METADATA_SUFFIX
from cloudrepo_server.specs.links import Links
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
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.http.responses import error_response
from cloudrepo_server.web.http.urls import origin_of, prefix_of, scheme_of
from cloudrepo_server.web.index.pages import PageCache, joined_header, negotiate, page_response
from cloudrepo_server.web.index.pypi_api import project_json_response, provenance_response
from cloudrepo_server.web.index.read_target import ReadTarget
from cloudrepo_server.web.index.redirects import redirect_to_canonical, redirect_to_file
from cloudrepo_server.web.index.remote_index import UpstreamClient
from cloudrepo_server.web.index.view import RepositoryView

_MAX_LISTINGS = 16
# PyPI's value for its files.
_FOREVER = "max-age=365000000, immutable, public"


class Read(msgspec.Struct, frozen=True):
    """A read request: what it names, and the view of the repository that it reads from.

    `file_urls` are the URLs of the repository's files, if they are on another host and the response
    must contain one.
    """

    request: web.Request
    view: RepositoryView
    target: ReadTarget
    file_urls: FileUrls | None = None


class Reader:
    """Responds to read requests, and caches the pages and lists of projects."""

    def __init__(self, upstream_client: UpstreamClient, organization: str) -> None:
        self._upstream_client = upstream_client
        self._organization = organization
        self._pages = PageCache()
        self._listings: LRUCache[tuple[str, str], list[str]] = LRUCache(_MAX_LISTINGS)
        # The serials that are known to contain every project of a listing.
        self._complete_serials: LRUCache[tuple[str, ...], None] = LRUCache(_MAX_LISTINGS)

    async def read(self, read: Read) -> web.StreamResponse:
        """Return the response, which is not sent yet.

        Raises:
            NotFoundError: the project or file does not exist.
        """
        target, view = read.target, read.view
        if target.kind == "root":
            return await self._root_page(read)
        name = target.project
        project = await view.project(name, target.local_project)
        if project is None:
            raise view.not_found(f"The project {name}")
        redirect_status = view.dialect.redirect_status
        if not target.is_canonical and redirect_status is not None:
            return redirect_to_canonical(read.request, target, redirect_status)
        if target.kind not in ("file", "metadata"):
            return await self._describe(read, project)
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

    async def _describe(self, read: Read, project: Project) -> web.Response:
        request, view, target = read.request, read.view, read.target
        if target.kind == "page":
            return await self._project_page(read, project)
        if target.kind == "provenance":
            return provenance_response(request, project, target, max_age=view.page_seconds)
        links = _links_for(read, with_origin=True)
        return await project_json_response(
            view, project, target, links, organization=self._organization
        )

    async def _file(self, read: Read, project: Project) -> web.StreamResponse:
        filename, view = read.target.filename, read.view
        attributes = view.dialect.attributes
        # The core metadata of a file take precedence over a published file of the same name.
        if CORE_METADATA in attributes and filename.endswith(METADATA_SUFFIX):
            described = project.files.get(filename.removesuffix(METADATA_SUFFIX))
            if described is not None and _has_metadata(described):
                return await self._content(read, described, metadata=True)
        if PROVENANCE in attributes and filename.endswith(PROVENANCE_SUFFIX):
            described = project.files.get(filename.removesuffix(PROVENANCE_SUFFIX))
            if described is not None and described.attestations is not None:
                publisher = described.attestation_publisher
                content = provenance_json(described.attestations, publisher)
                return web.Response(body=content, content_type=PROVENANCE_TYPE)
        file = project.files.get(filename)
        if file is None:
            raise view.not_found(f"The file {filename} of the project {read.target.project}")
        return await self._content(read, file, metadata=False)

    async def _content(
        self, read: Read, file: File | RemoteFile, *, metadata: bool
    ) -> web.StreamResponse:
        """Return the response with a file or its core metadata, or the redirect to another host."""
        view = read.view
        if read.file_urls is not None:
            return redirect_to_file(
                read.file_urls,
                read.target,
                seconds=view.file_url_seconds,
                status=view.dialect.file_redirect_status,
            )
        if isinstance(file, RemoteFile):
            url = file.metadata_url if metadata and file.metadata_url is not None else file.url
            return await self._upstream_client.forward(read.request, file, url, view.via)
        content = await view.metadata(file) if metadata else view.file(file)
        return await file_response(read.request, content, headers=_file_headers(read))

    async def _root_page(self, read: Read) -> web.Response:
        target, view = read.target, read.view
        if not view.dialect.lists_projects:
            raise NotFoundError(f"The dialect {view.dialect.name} has no list of projects.")
        redirect_status = view.dialect.redirect_status
        if not target.is_canonical and redirect_status is not None:
            return redirect_to_canonical(read.request, target, redirect_status)
        links = _links_for(read)
        if target.serials is not None:
            # A cached list of projects may be older than the serials.
            view.require_fresh()
        revision = await view.listing_revision()
        if view.private is not None:
            # The settings, and so the private projects, may have changed since the page was cached.
            revision = f"{revision} anonymous {view.settings_revision}"
        names = await self._project_names(view, revision)
        serials = await self._serials(view, revision, target.serials)
        added = tuple(view.visible(_added_meanwhile(names, target.serials, serials)))
        if added:
            names = sorted([*names, *added])
        return await self._page(
            read,
            (links, view.id, revision, "" if serials is None else serials.revision, added),
            len(names),
            lambda: root_html(names, links=links),
            lambda: root_json(names, dialect=view.dialect, serials=serials),
            serial=None if serials is None else serials.last,
        )

    async def _project_names(self, view: RepositoryView, revision: str) -> list[str]:
        key = view.id, revision
        names = self._listings.get(key)
        if names is None:
            names = self._listings[key] = view.visible(await view.project_names())
        return names

    async def _serials(
        self, view: RepositoryView, listing: str, known: SerialsDocument | None
    ) -> SerialsDocument | None:
        if known is None:
            return None
        key = view.id, view.settings_revision, listing, known.revision
        if key in self._complete_serials:
            return known
        serials = await view.serials(known)
        if serials is known:
            self._complete_serials[key] = None
        return serials

    async def _project_page(self, read: Read, project: Project) -> web.Response:
        target, view = read.target, read.view
        dialect, digests = view.dialect, view.digests
        if not project.files and dialect.empty_project_status != web.HTTPOk.status_code:
            raise NotFoundError(f"The project {project.name} has no files.")
        links = _links_for(read)
        serial = None
        if target.serials is not None:
            serial = await view.serial(target.serials, target.local_project)
        return await self._page(
            read,
            (links, view.id, digests, project.name, project.revision, str(serial or "")),
            len(project.files),
            lambda: project_html(project, links=links, dialect=dialect, digests=digests),
            lambda: project_json(
                project, links=links, dialect=dialect, digests=digests, serial=serial
            ),
            serial=serial,
        )

    async def _page(
        self,
        read: Read,
        key: tuple[Hashable, ...],
        entries: int,
        render_html: Callable[[], bytes],
        render_json: Callable[[], bytes],
        *,
        serial: int | None,
    ) -> web.Response:
        request, dialect = read.request, read.view.dialect
        content_type: str | None = HTML
        if dialect.json_version is not None:
            content_type = negotiate(joined_header(request, "Accept"), request.query.get("format"))
        if content_type is None:
            return error_response(
                406,
                f"No acceptable content type: use {JSON_V1}, {HTML_V1} or {HTML}.",
                headers={"Vary": "Accept"},
            )
        form, render = ("json", render_json) if content_type == JSON_V1 else ("html", render_html)
        page = await self._pages.get((dialect.name, form, *key), render, entries=entries)
        return await page_response(
            request, page, content_type, max_age=read.view.page_seconds, serial=serial
        )


def _added_meanwhile(
    names: Sequence[str], known: SerialsDocument | None, serials: SerialsDocument | None
) -> tuple[str, ...]:
    """Return the projects that have new serials and that were added after `names` was listed.

    A mirror remembers the last serial of the root page, and later reads only projects with higher
    serials. So the page must contain every project whose serial is not higher.
    """
    if known is None or serials is None or serials is known:
        return ()
    changed = {name for name, each in serials.projects.items() if each != known.projects.get(name)}
    return tuple(sorted(changed.difference(names)))


def _links_for(read: Read, *, with_origin: bool = False) -> Links:
    """Return the URLs on a page, as the client of a request reaches them.

    Args:
        read: the request.
        with_origin: whether the page needs absolute URLs. Otherwise only URLs of provenance are
            absolute. Pages have these over https only (PEP 740).
    """
    needs_origin = with_origin or scheme_of(read.request) == "https"
    index = state_of(read.request).impersonated_index
    has_file_host = index is not None and not read.view.redirects_to_files
    return Links(
        prefix_of(read.request) + read.target.base,
        origin_of(read.request) if needs_origin else "",
        web=None if index is None else urlsplit(index.web).path.rstrip("/"),
        files=index.files.rstrip("/") if index is not None and has_file_host else None,
        has_integrity_api=read.view.dialect.has_pypi_api,
        elsewhere=read.file_urls,
    )


def _has_metadata(file: File | RemoteFile) -> bool:
    place = file.metadata_url if isinstance(file, RemoteFile) else file.metadata_blob
    return place is not None


def _file_headers(read: Read) -> dict[str, str]:
    return {"Cache-Control": _FOREVER} if read.target.is_immutable else {}
