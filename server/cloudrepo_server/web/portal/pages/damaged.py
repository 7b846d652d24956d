"""Damaged data: the stored documents that cannot be read, and how to delete them."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from cloudrepo_server.domain.damaged_documents import DamagedDocument
from cloudrepo_server.keys import project_name
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import DAMAGED
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route


@dataclass(frozen=True, slots=True)
class _Kind:
    label: str
    lost: str
    """What is lost when a document of this kind is deleted."""


_KINDS = {
    "repository": _Kind(
        "Repository",
        "The repository is deleted: its settings, its trusted publishers, and all of its projects, "
        "files and tokens.",
    ),
    "user": _Kind(
        "Repository user",
        "The user is deleted. Create the user again, with a new passphrase. Files that the user "
        "uploaded are kept.",
    ),
    "token": _Kind(
        "Token", "The token is deleted. Create a new token for the programs that use it."
    ),
    "session": _Kind(
        "Portal session", "The session is deleted. The user of this browser must sign in again."
    ),
    "project": _Kind(
        "Project",
        "The project is deleted with all of its files. Upload the files again. Their upload times, "
        "yanks and attestations, and the project's status, are lost.",
    ),
    "claim": _Kind(
        "Claim of a name",
        "No file is deleted. But another project may then use the file name, the content or the "
        "project name that this document reserves.",
    ),
    "serials": _Kind(
        "Serials",
        "No file is deleted. But the serial numbers of the repository begin again, so mirrors of "
        "the repository must be created again.",
    ),
    "identity": _Kind(
        "Used identity token",
        "No file is deleted. But an identity token that was exchanged already can be exchanged "
        "again until it expires.",
    ),
    "activity": _Kind(
        "Counts of uploads and downloads",
        "No file is deleted. The numbers of uploads and downloads begin again.",
    ),
    "audit": _Kind("Changes", "Some entries of the list of changes are lost."),
}


@dataclass(frozen=True, slots=True)
class _Row:
    document: DamagedDocument
    kind: _Kind
    name: str | None
    repository: str | None


async def show_list(request: PortalRequest) -> web.Response:
    """Show the damaged documents. Reads all documents."""
    damaged = await request.organization.damaged.all()
    names = await _repository_names(request)
    pagination = paginate(damaged, request.query)
    return request.render(
        "damaged.html",
        rows=[_row(document, names) for document in pagination.items],
        pagination=pagination,
    )


async def show_delete(request: PortalRequest) -> web.Response:
    """Show the confirmation page for deleting a damaged document."""
    document = await request.organization.damaged.find(request.query.get("key", ""))
    row = _row(document, await _repository_names(request))
    return request.render("delete_damaged.html", row=row)


async def delete(request: PortalRequest) -> web.Response:
    """Delete a damaged document, without a further confirmation."""
    key = request.form.get("key", "")
    await request.organization.damaged.delete(key)
    request.add_notice(f"The damaged document {key} was deleted.")
    return request.redirect(DAMAGED)


async def _repository_names(request: PortalRequest) -> dict[str, str]:
    return {each.document.id: each.name for each in await request.organization.repositories()}


def _row(document: DamagedDocument, repositories: Mapping[str, str]) -> _Row:
    folder, _, file_name = document.key.partition("/")[2].rpartition("/")
    name = file_name.removesuffix(".json")
    shown = {
        "repository": name.removeprefix("@"),
        "project": project_name(file_name),
        "token": name,
    }
    return _Row(document, _KINDS[document.kind], shown.get(document.kind), repositories.get(folder))


ROUTES = (
    Route("GET", DAMAGED, show_list),
    Route("GET", DAMAGED + "/delete", show_delete),
    Route("POST", DAMAGED + "/delete", delete),
)
