"""The differences of two releases, and of the sdist and a wheel of one release."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.archive_comparison import Comparison, MemberChange, compare_contents
from cloudrepo_server.specs.archive_contents import Contents
from cloudrepo_server.web.portal.file_differences import ShownChange, show_changes
from cloudrepo_server.web.portal.paging import Pagination, paginate
from cloudrepo_server.web.portal.paths import PROJECT, RELEASE
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.releases import Release, ReleaseOrder, releases_of

_CHANGES_ON_PAGE = 25
_LISTED_VERSIONS = 200
_LISTED_TAGS = 100
_SDIST = "sdist"


@dataclass(frozen=True, slots=True)
class _Difference:
    """A page of the differences of two files."""

    old: File
    new: File
    contents: tuple[Contents, Contents]
    comparison: Comparison
    shown: Sequence[ShownChange]
    pagination: Pagination[MemberChange]


async def show_releases(request: PortalRequest) -> web.Response:
    """Show the differences of two releases, and the form to choose them."""
    repository = await request.repository()
    project = await request.project(repository)
    order = await request.release_orders.of(repository, project)
    query = request.query
    new, old = _versions(order, query)
    files: dict[str, str] = {}
    difference, chosen, error, status = None, None, None, 200
    for version in (new, old):
        if version is not None and order.find(version) is None:
            error, status = str(repository.release_not_found(project.name, version)), 404
    if error is None and new is not None and old is not None:
        releases = [_release(project, order, version) for version in (old, new)]
        files = _choices(releases)
        chosen = _default(releases, files) if query.get("file") not in files else query["file"]
        pair = [_pick(release, chosen) for release in releases]
        if pair[0] is not None and pair[1] is not None:
            difference = await _difference(request, repository, pair[0], pair[1])
        else:
            version, label = (old if pair[0] is None else new), files.get(chosen or "", "archive")
            error = f"{project.name} {version} has no {label}, so there is nothing to compare."
    return request.render(
        "differences.html",
        status=status,
        error=error,
        repository=repository,
        project=project,
        version=None,
        old_version=old,
        new_version=new,
        versions=[version for version in order.versions if version][:_LISTED_VERSIONS],
        version_count=len(order.versions),
        files_to_choose=files,
        chosen=chosen,
        difference=difference,
        only_path=query.get("path"),
        current_tab="projects",
    )


async def show_formats(request: PortalRequest) -> web.Response:
    """Show the differences of the sdist and a wheel of a release."""
    repository = await request.repository()
    project = await request.project(repository)
    version, order = await request.version_and_order(repository, project)
    release = _release(project, order, version)
    if not (release.wheels and release.sdists):
        raise NotFoundError(
            f"The release {version} of {project.name} needs both a wheel and an sdist to be "
            "compared."
        )
    files = {tags: f"wheel {tags}" for tags in islice(release.wheels_by_tags, _LISTED_TAGS)}
    given = request.query.get("file", "")
    chosen = given if given in files else next(iter(files))
    wheel = _pick(release, chosen) or release.wheels[0]
    return request.render(
        "differences.html",
        error=None,
        repository=repository,
        project=project,
        version=version,
        old_version=None,
        new_version=None,
        files_to_choose=files,
        chosen=chosen,
        difference=await _difference(request, repository, release.sdists[0], wheel),
        only_path=request.query.get("path"),
        current_tab="projects",
    )


def _versions(order: ReleaseOrder, query: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return the newer and the older version, by default the newest two."""
    given_new, given_old = query.get("new"), query.get("old")
    new = given_new or next((version for version in order.versions if version), None)
    if given_old or new is None:
        return new, given_old or None
    found = order.find(new)
    return new, None if found is None else order.before(found)


def _release(project: ProjectDocument, order: ReleaseOrder, version: str) -> Release:
    (release,) = releases_of(project, [order.find(version)])
    return release


def _choices(releases: Sequence[Release]) -> dict[str, str]:
    tags = dict.fromkeys(chain.from_iterable(release.wheels_by_tags for release in releases))
    choices = {each: f"wheel {each}" for each in islice(tags, _LISTED_TAGS)}
    if any(release.sdists for release in releases):
        choices[_SDIST] = _SDIST
    return choices


def _default(releases: Sequence[Release], choices: Mapping[str, str]) -> str | None:
    """Return the first choice, preferably one that both releases have."""
    both = (each for each in choices if all(_pick(release, each) for release in releases))
    return next(both, next(iter(choices), None))


def _pick(release: Release, chosen: str | None) -> File | None:
    if chosen == _SDIST:
        return next(iter(release.sdists), None)
    return release.wheels_by_tags.get(chosen or "")


async def _difference(
    request: PortalRequest, repository: Repository, old: File, new: File
) -> _Difference:
    archives = request.archives
    before = await archives.contents(repository, old, with_digests=True)
    after = await archives.contents(repository, new, with_digests=True)
    comparison = compare_contents(old.filename, before, new.filename, after)
    path = request.query.get("path")
    changes = [each for each in comparison.changes if path in (None, each.path)]
    keep = ["old", "new", "file", "path"]
    pagination = paginate(changes, request.query, keep=keep, page_size=_CHANGES_ON_PAGE)
    shown = await show_changes(
        archives,
        request.organization.text_differences,
        repository,
        (old, new),
        pagination.items,
    )
    return _Difference(old, new, (before, after), comparison, shown, pagination)


ROUTES = (
    Route("GET", PROJECT + "/compare", show_releases),
    Route("GET", RELEASE + "/compare", show_formats),
)
