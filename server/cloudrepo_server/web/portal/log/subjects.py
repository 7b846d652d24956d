"""What a request was about, and whether it still exists: project, file, user and faults."""

from typing import Any

import msgspec

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.testkit.journal import Entry


class Existing(msgspec.Struct, frozen=True):
    """Whether the project, file and user of a request exist, so that a page can link to them."""

    project: bool = False
    file: bool = False
    user: bool = False


async def describe_subjects(
    organization: Organization, entry: Entry, repository: Repository | None
) -> dict[str, Any]:
    """Return what the page of a request needs: what exists, and the faults by id.

    Args:
        organization: the organization.
        entry: the request.
        repository: the repository that received the request, or None for a change.
    """
    if repository is None and entry.repository is not None:
        repository = await organization.find(entry.repository)
    project = None
    if repository is not None and entry.project is not None:
        project = await repository.project(entry.project)
    existing = Existing(
        project is not None,
        project is not None and entry.filename in project.files,
        entry.user is not None and await organization.users.exists(entry.user),
    )
    faults = {}
    if repository is not None and entry.faults:
        installed = organization.testkit.faults(repository.document.id).all()
        faults = {fault.id: fault for fault in installed}
    return {"existing": existing, "faults": faults}
