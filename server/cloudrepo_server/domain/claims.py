"""Claims: reservations of what only one project of a repository may have, such as a file name.

Most file names determine their project. For the others, such as `a-1-2.zip` or the name of a file
that is not a distribution, a small document states the project. An upload writes this claim before
its file becomes visible, so that later uploads find it, and again afterwards. With PyPI's rules,
the content of a file and the name of a new project are claimed too.

A claim whose project does not have what it claims is stale: a deletion or a failed upload left it.
An upload to another project may replace it. So an upload may lose its claim before its file is
visible. Its second write then finds the claim of the other project, and the upload is rolled back.
The second write also changes the revision of the claim. So an upload that read the earlier revision
cannot replace the claim.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cloudrepo_server.errors import CloudRepoServerError, FileExistsInRepositoryError
from cloudrepo_server.keys import claim_key, content_claim_key, name_claim_key, project_key
from cloudrepo_server.models import ClaimDocument, ProjectDocument
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.filenames import DistributionName
from cloudrepo_server.specs.pypi_rules.project_names import SIMILAR_NAME, confusable_name
from cloudrepo_server.storage import Documents

Conflict = Callable[[ClaimDocument, ProjectDocument], CloudRepoServerError | None]
"""Returns why the claim of another file excludes this one, or None if that claim is stale.

The arguments are the other claim, and its project.
"""


class Claim(msgspec.Struct, frozen=True):
    """A claim of a file, and the function that finds a conflict with an existing claim."""

    key: str
    document: ClaimDocument
    conflict: Conflict


def filename_claim(repository_id: str, name: DistributionName, dialect: Dialect) -> Claim:
    """Return the claim of a file name that does not determine its project."""

    def conflict(_: ClaimDocument, other: ProjectDocument) -> CloudRepoServerError | None:
        if name.filename in other.files:
            return FileExistsInRepositoryError(
                f"File already exists: {name.filename} is a file of the project {other.name}, "
                "and file names are unique in a repository. Delete it there first."
            )
        if name.filename in other.deleted and dialect.deleted_text is not None:
            return FileExistsInRepositoryError(dialect.deleted_text)
        return None

    document = ClaimDocument(filename=name.filename, project=name.project)
    return Claim(claim_key(repository_id, name.filename), document, conflict)


def content_claim(
    repository_id: str, name: DistributionName, sha256: str, error: CloudRepoServerError | None
) -> Claim:
    """Return the claim of a file's content.

    A file with this content and another name is rejected with `error`, or accepted if that is None.
    """

    def conflict(claim: ClaimDocument, other: ProjectDocument) -> CloudRepoServerError | None:
        file = other.files.get(claim.filename)
        return error if file is not None and file.sha256 == sha256 else None

    document = ClaimDocument(filename=name.filename, project=name.project)
    return Claim(content_claim_key(repository_id, sha256), document, conflict)


def name_claim(repository_id: str, project: str) -> Claim:
    """Return the claim of a new project's normalized name, which excludes similar names."""

    def conflict(claim: ClaimDocument, _: ProjectDocument) -> CloudRepoServerError | None:
        if claim.project == project:
            return None
        return SIMILAR_NAME.broken(name=project, other=claim.project).error()

    document = ClaimDocument(filename="", project=project)
    return Claim(name_claim_key(repository_id, confusable_name(project)), document, conflict)


async def check_claim(documents: Documents, repository_id: str, claim: Claim) -> None:
    """Check that nothing excludes a claim, without writing it.

    Raises:
        CloudRepoServerError: the claim of another file excludes it.
        StorageError: the store did not respond.
    """
    existing = await documents.read(claim.key, ClaimDocument)
    other = await _other_project(documents, repository_id, claim, existing)
    _raise_conflict(claim, existing, other)


async def write_claim(documents: Documents, repository_id: str, claim: Claim) -> None:
    """Write a claim, unless the claim of another file excludes it.

    Raises:
        CloudRepoServerError: the claim of another file excludes it.
        StorageError: the store did not apply the change.
    """
    other: ProjectDocument | None = None

    async def prepare(existing: ClaimDocument | None) -> None:
        nonlocal other
        other = await _other_project(documents, repository_id, claim, existing)

    def replace(existing: ClaimDocument | None) -> ClaimDocument:
        _raise_conflict(claim, existing, other)
        return claim.document

    await documents.change(claim.key, ClaimDocument, replace, prepare=prepare)


async def _other_project(
    documents: Documents, repository_id: str, claim: Claim, existing: ClaimDocument | None
) -> ProjectDocument | None:
    """Return the project of an existing claim, unless the claim is that of the same file."""
    mine = claim.document
    if existing is None or (existing.project, existing.filename) == (mine.project, mine.filename):
        return None
    documents.require_fresh()
    return await documents.read(project_key(repository_id, existing.project), ProjectDocument)


def _raise_conflict(
    claim: Claim, existing: ClaimDocument | None, other: ProjectDocument | None
) -> None:
    if existing is not None and other is not None:
        error = claim.conflict(existing, other)
        if error is not None:
            raise error
