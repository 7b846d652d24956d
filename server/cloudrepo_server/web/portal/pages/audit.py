"""The list of changes: what was changed, by whom, when, and through which interface."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from cloudrepo_server.changes import ChangeKind
from cloudrepo_server.domain.audit import AuditEntry, Interface
from cloudrepo_server.pools import PAGES
from cloudrepo_server.web.portal.list_downloads import (
    CONTENT_TYPES,
    ListDownload,
    download_headers,
)
from cloudrepo_server.web.portal.log.filters import SHOWN
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import AUDIT
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.query_filter import QueryFilter

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


class AuditFilter(QueryFilter, frozen=True, kw_only=True):
    """The conditions that a change must meet to be listed. Empty conditions have no effect."""

    kind: str = ""
    interface: str = ""
    user: str = ""
    repository: str = ""
    sessions: str = ""
    """Whether sign-ins, sign-outs and sign-in links are listed too."""

    choices: ClassVar[Mapping[str, Collection[str]]] = {
        "kind": _KINDS,
        "interface": _INTERFACES,
        "sessions": (SHOWN,),
    }

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
    headers = download_headers("changes", extension)
    if request.http.method == "HEAD":
        return web.Response(headers=headers)
    chosen = AuditFilter.of(request.query)
    found = await PAGES.run(chosen.apply, request.organization.audit.entries)
    return await _DOWNLOAD.response(found, headers, extension)


def _as_json(entry: AuditEntry) -> dict[str, str | None]:
    values = {**msgspec.structs.asdict(entry), "time": _moment(entry).isoformat()}
    return {name: values[name] for name in _COLUMNS}


def _moment(entry: AuditEntry) -> datetime:
    return datetime.fromtimestamp(entry.time, UTC)


_DOWNLOAD = ListDownload(name="changes", columns=_COLUMNS, as_json=_as_json, as_row=_as_json)
ROUTES = (
    Route("GET", AUDIT, show),
    *(
        Route("GET", f"{AUDIT}.{extension}", partial(download, extension=extension))
        for extension in CONTENT_TYPES
    ),
)
