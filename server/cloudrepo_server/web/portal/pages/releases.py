"""The page of a release: how to install it, its metadata, README and files."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.clients.release_snippets import release_snippets
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.specs.provenance import attestation_types
from cloudrepo_server.specs.release_details import MAX_LISTED, ReleaseDetails
from cloudrepo_server.web.http.connection_settings import connection_settings
from cloudrepo_server.web.portal.pages.connection_settings import browser_system
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import RELEASE
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.release_description import own_dependencies, read_description
from cloudrepo_server.web.portal.releases import Release, releases_of

_FILES_ON_PAGE = 25
_MAX_HASHES = 100


@dataclass(frozen=True, slots=True)
class _EntryPoints:
    """The entry points of a wheel, by group, or the reason why they cannot be read."""

    groups: Mapping[str, Mapping[str, str]]
    error: str = ""
    omitted: int = 0
    """The number of entry points that the page leaves out."""


async def show(request: PortalRequest) -> web.Response:
    """Show a release."""
    repository = await request.repository()
    project = await request.project(repository)
    version, order = await request.version_and_order(repository, project)
    (release,) = releases_of(project, [version])
    described_by = release.described_by
    try:
        details, readme = await read_description(request, repository, described_by)
    except FileNotFoundError:
        # An upload replaced the file after its project was read.
        details, readme = ReleaseDetails(), None
    connection = await connection_settings(request.http, request.organization, repository)
    hashes = [file.sha256 for file in release.files[:_MAX_HASHES]]
    return request.render(
        "release.html",
        repository=repository,
        project=project,
        release=release,
        version=version,
        latest_version=order.latest,
        older_version=order.before(version),
        described_by=described_by,
        details=details,
        readme=readme,
        snippets=release_snippets(
            connection, project.name, version, hashes, browser_system(request)
        ),
        omitted_hashes=max(0, len(release.files) - _MAX_HASHES),
        projects=await own_dependencies(repository, details),
        entry_points=await _entry_points(request, repository, release),
        tags=list(release.wheels_by_tags),
        attestation_types=attestation_types,
        pagination=paginate(release.files, request.query, page_size=_FILES_ON_PAGE),
        current_tab="projects",
    )


async def _entry_points(
    request: PortalRequest, repository: Repository, release: Release
) -> _EntryPoints:
    if not release.wheels:
        return _EntryPoints({})
    try:
        groups = await request.archives.entry_points(repository, release.wheels[0])
    except InvalidError as error:
        return _EntryPoints({}, str(error))
    shown: dict[str, dict[str, str]] = {}
    left = MAX_LISTED
    for group, entries in groups.items():
        if left:
            shown[group] = dict(itertools.islice(entries.items(), left))
            left -= len(shown[group])
    return _EntryPoints(shown, omitted=sum(map(len, groups.values())) - (MAX_LISTED - left))


ROUTES = (Route("GET", RELEASE, show),)
