"""The list of changes: what was changed, by whom, when, and through which interface."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from cloudrepo_server.changes import ChangeKind
from cloudrepo_server.domain.audit import AuditEntry, Interface
from cloudrepo_server.pools import PAGES
from cloudrepo_server.web.http.streamed_response import StreamedResponse
from cloudrepo_server.web.portal.csv_cells import csv_lines, safe_cell
from cloudrepo_server.web.portal.log.filters import SHOWN
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import AUDIT
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_KINDS: Mapping[ChangeKind, str] = {
    "upload": "Upload",
    "overwrite": "Overwrite",
    "yank": "Yank",
    "unyank": "Undo of a yank",
    "delete-file": "Deletion of a file",
    "delete-release": "Deletion of a release",
    "delete-project": "Deletion of a project",
    "change-file": "Change of a file",
    "change-project": "Status of a project",
    "create-repository": "New repository",
    "change-settings": "Settings",
    "delete-repository": "Deletion of a repository",
    "create-user": "New user",
    "change-user": "Change of a user",
    "delete-user": "Deletion of a user",
    "create-token": "New token",
    "mint-token": "Minted token",
    "change-token": "Change of a token",
    "delete-token": "Revocation of a token",
    "add-publisher": "New trusted publisher",
    "remove-publisher": "Removal of a trusted publisher",
    "add-fault": "New fault",
    "remove-fault": "Removal of a fault",
    "add-impersonation": "New impersonation",
    "remove-impersonation": "Removal of an impersonation",
    "clear-journal": "Cleared request log",
    "delete-damaged": "Deletion of damaged data",
    "sign-in": "Sign-in",
    "sign-in-link": "New sign-in link",
    "sign-out": "Sign-out",
}
_INTERFACES: Mapping[Interface, str] = {
    "index": "PyPI API",
    "trust": "Trusted publishing",
    "api": "Admin API",
    "portal": "Portal",
}
_SESSION_KINDS: frozenset[str] = frozenset({"sign-in", "sign-in-link", "sign-out"})
_COLUMNS = ("time", "kind", "repository", "subject", "detail", "user", "interface")
_ENTRIES_AT_ONCE = 200


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions that a change must meet to be listed. Empty conditions have no effect."""

    kind: str = ""
    interface: str = ""
    user: str = ""
    repository: str = ""
    sessions: str = ""
    """Whether sign-ins, sign-outs and sign-in links are listed too."""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "AuditFilter":
        """Return the filter in a query string. Unknown choices are ignored."""
        given = {name: query.get(name, "").strip() for name in cls.__struct_fields__}
        for name, choices in (("kind", _KINDS), ("interface", _INTERFACES), ("sessions", (SHOWN,))):
            if given[name] not in choices:
                given[name] = ""
        return cls(**given)

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query string for this filter."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}

    def apply(self, entries: Sequence[AuditEntry]) -> list[AuditEntry]:
        """Return the changes that meet all conditions."""
        hidden = () if self.sessions else _SESSION_KINDS - {self.kind}
        user, repository = self.user.casefold(), self.repository.casefold()
        return [
            entry
            for entry in entries
            if (entry.kind not in hidden)
            and (not self.kind or entry.kind == self.kind)
            and (not self.interface or entry.interface == self.interface)
            and user in (entry.user or "").casefold()
            and repository in (entry.repository or "").casefold()
        ]


async def show(request: PortalRequest) -> web.Response:
    """Show the changes, newest first."""
    organization = request.organization
    chosen = AuditFilter.of(request.query)
    entries = organization.audit.entries
    found = await PAGES.run(chosen.apply, entries)
    kept = chosen.query
    return request.render(
        "audit.html",
        pagination=paginate(
            found, {**kept, "page": request.query.get("page", "")}, keep=list(kept)
        ),
        existing={each.name for each in await organization.repositories()},
        chosen=chosen,
        kinds=_KINDS,
        interfaces=_INTERFACES,
        user_names=sorted({entry.user for entry in entries if entry.user})[:100],
        repository_names=sorted({entry.repository for entry in entries if entry.repository})[:100],
        download_query="?" + urlencode(kept) if kept else "",
        is_kept=organization.audit.is_kept,
        shared=organization.shared,
        moment=_moment,
    )


async def download(request: PortalRequest, extension: str) -> web.StreamResponse:
    """Return the changes as a file."""
    content_type, write = _DOWNLOADS[extension]
    headers = {
        "Content-Type": content_type,
        "Content-Disposition": f'attachment; filename="changes.{extension}"',
        "Cache-Control": "no-store",
    }
    if request.http.method == "HEAD":
        return web.Response(headers=headers)
    chosen = AuditFilter.of(request.query)
    found = await PAGES.run(chosen.apply, request.organization.audit.entries)
    return await StreamedResponse.open(200, headers, write(found))


async def _write_json(entries: Sequence[AuditEntry]) -> AsyncGenerator[bytes, None]:
    yield b'{"changes":['
    separator = b""
    for part in _parts(entries):
        yield separator + b",".join(msgspec.json.encode(_as_json(entry)) for entry in part)
        separator = b","
        await asyncio.sleep(0)
    yield b"]}\n"


async def _write_csv(entries: Sequence[AuditEntry]) -> AsyncGenerator[bytes, None]:
    yield csv_lines([_COLUMNS])
    for part in _parts(entries):
        yield csv_lines(
            [
                safe_cell(str(value) if value is not None else "")
                for value in _as_json(entry).values()
            ]
            for entry in part
        )
        await asyncio.sleep(0)


def _parts(entries: Sequence[AuditEntry]) -> Iterator[Sequence[AuditEntry]]:
    for start in range(0, len(entries), _ENTRIES_AT_ONCE):
        yield entries[start : start + _ENTRIES_AT_ONCE]


def _as_json(entry: AuditEntry) -> dict[str, str | None]:
    values = {**msgspec.structs.asdict(entry), "time": _moment(entry).isoformat()}
    return {name: values[name] for name in _COLUMNS}


def _moment(entry: AuditEntry) -> datetime:
    return datetime.fromtimestamp(entry.time, UTC)


_DOWNLOADS: dict[str, tuple[str, Callable[[Sequence[AuditEntry]], AsyncGenerator[bytes, None]]]] = {
    "json": ("application/json", _write_json),
    "csv": ("text/csv; charset=utf-8; header=present", _write_csv),
}
ROUTES = (
    Route("GET", AUDIT, show),
    *(
        Route("GET", f"{AUDIT}.{extension}", partial(download, extension=extension))
        for extension in _DOWNLOADS
    ),
)
