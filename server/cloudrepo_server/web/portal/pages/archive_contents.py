"""The contents of a file: the list of an archive, one file in it, and the core metadata."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.limits import MAX_SHOWN_TEXT
from cloudrepo_server.specs.archive_contents import Member
from cloudrepo_server.web.portal.paths import FILE
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.shown_text import show_text
from cloudrepo_server.web.portal.sorting import Column, read_sorting

_PAGE_SIZE = 200
_COLUMNS = (Column("path", "File"), Column("size", "Size", largest_first=True, is_number=True))


async def show_list(request: PortalRequest) -> web.Response:
    """Show the files in an archive."""
    repository = await request.repository()
    project, file = await request.file(repository)
    contents = await request.archives.contents(repository, file)
    search = request.query.get("q", "")
    folded = search.strip().casefold()
    sorting = read_sorting(_COLUMNS, request.query, keep=["q"])
    keys: Mapping[str, Callable[[Member], Any]] = {
        "path": lambda member: member.path,
        "size": lambda member: member.size,
    }
    matching = [each for each in contents.members if folded in each.path.casefold()]
    found = sorting.sort(matching, keys)
    return request.render(
        "contents.html",
        repository=repository,
        project=project,
        file=file,
        contents=contents,
        total_size=sum(max(each.size, 0) for each in contents.members),
        search=search,
        sorting=sorting,
        pagination=sorting.paginate(found, request.query, page_size=_PAGE_SIZE),
        current_tab="projects",
    )


async def show_member(request: PortalRequest) -> web.Response:
    """Show one file in an archive."""
    repository = await request.repository()
    project, file = await request.file(repository)
    path = request.query.get("path", "")
    contents = await request.archives.contents(repository, file)
    member = _find(contents.members, path)
    if member is None:
        raise NotFoundError(f"{file.filename} contains no file {path[:200]!r} that can be shown.")
    content = (await request.archives.members(repository, file, [path])).get(path)
    return request.render(
        "member.html",
        repository=repository,
        project=project,
        file=file,
        member=member,
        content=content,
        shown=None if content is None else show_text(content),
        max_bytes=MAX_SHOWN_TEXT,
        current_tab="projects",
    )


async def show_metadata(request: PortalRequest) -> web.Response:
    """Show the core metadata of a file as they are."""
    repository = await request.repository()
    project, file = await request.file(repository)
    try:
        metadata = await request.archives.metadata(repository, file)
    except FileNotFoundError:
        metadata = None
    if metadata is None:
        raise NotFoundError(f"{file.filename} has no core metadata.")
    return request.render(
        "metadata.html",
        repository=repository,
        project=project,
        file=file,
        content=metadata,
        shown=show_text(metadata[: MAX_SHOWN_TEXT + 1]),
        max_bytes=MAX_SHOWN_TEXT,
        current_tab="projects",
    )


def _find(members: tuple[Member, ...], path: str) -> Member | None:
    # Of several files with one path, an installer keeps the last one.
    found = None
    for member in members:
        if member.path == path and member.can_be_read:
            found = member
    return found


ROUTES = (
    Route("GET", FILE + "/contents", show_list),
    Route("GET", FILE + "/contents/file", show_member),
    Route("GET", FILE + "/metadata", show_metadata),
)
