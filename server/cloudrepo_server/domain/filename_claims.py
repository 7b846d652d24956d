"""Claims of file names, which keep a file name unique among all projects of a repository.

Most file names determine their project. For the others, such as `a-1-2.zip` or the name of a file
that is not a distribution, a small document states the project. An upload writes this claim before
its file becomes visible, so that later uploads find it, and again afterwards.

A claim whose project does not have the file is stale: a deletion or a failed upload left it. An
upload to another project may replace it. So an upload may lose its claim before its file is
visible. Its second write then finds the claim of the other project, and the upload is rolled back.
The second write also changes the revision of the claim. So an upload that read the earlier revision
cannot replace the claim.
"""

from __future__ import annotations

from cloudrepo_server.errors import FileExistsInRepositoryError
from cloudrepo_server.keys import claim_key, project_key
from cloudrepo_server.models import ClaimDocument, ProjectDocument
from cloudrepo_server.specs.dialect import Dialect
from cloudrepo_server.specs.filenames import DistributionName
from cloudrepo_server.storage import Documents


async def claim_filename(
    documents: Documents, repository_id: str, name: DistributionName, dialect: Dialect
) -> None:
    """State that a file name belongs to a project, unless another project has it.

    Raises:
        FileExistsInRepositoryError: another project of the repository has a file with this name.
        StorageError: the store did not apply the change.
    """
    other: ProjectDocument | None = None

    async def prepare(existing: ClaimDocument | None) -> None:
        nonlocal other
        other = None
        if existing is not None and existing.project != name.project:
            documents.require_fresh()
            key = project_key(repository_id, existing.project)
            other = await documents.read(key, ProjectDocument)

    def claim(_: ClaimDocument | None) -> ClaimDocument:
        if other is not None:
            if name.filename in other.files:
                raise FileExistsInRepositoryError(
                    f"File already exists: {name.filename} is a file of the project {other.name}, "
                    "and file names are unique in a repository. Delete it there first."
                )
            if name.filename in other.deleted and dialect.deleted_text is not None:
                raise FileExistsInRepositoryError(dialect.deleted_text)
        return ClaimDocument(filename=name.filename, project=name.project)

    key = claim_key(repository_id, name.filename)
    await documents.change(key, ClaimDocument, claim, prepare=prepare)
