"""Deletion of the repositories and users that killed pytest sessions left on a shared server.

A `run` is the identifier of one pytest session; the plugin sends it with whatever it creates.
"""

import contextlib
import math
from collections import defaultdict

import msgspec

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.keys import repository_key, user_key


class StaleRunsReport(msgspec.Struct, frozen=True):
    """The number of stale runs, and of the repositories and users that were deleted."""

    runs: int
    repositories: int
    users: int

    def __str__(self) -> str:
        return (
            f"repositories: {self.repositories}, users: {self.users} "
            f"(of stale pytest sessions: {self.runs})"
        )


async def delete_stale_runs(organization: Organization, *, older_than: float) -> StaleRunsReport:
    """Delete the repositories and users of stale runs.

    A run is stale if it created or changed no repository and no user for `older_than` seconds.
    Uploads do not count, so `older_than` must be longer than any run uses a repository. A long run
    keeps its first repositories as long as it creates new ones. Repositories and users that belong
    to no run are kept.

    Raises:
        StorageError: the store did not respond.
    """
    repositories = [repository.document for repository in await organization.repositories()]
    users = await organization.users.all()
    ages = await organization.document_ages()
    run_ages: defaultdict[str, float] = defaultdict(lambda: math.inf)
    keys = [(document.run, repository_key(document.name)) for document in repositories]
    keys += [(user.run, user_key(user.email)) for user in users]
    for run, key in keys:
        if run is not None:
            # A document without an age was deleted by another server in the meantime.
            run_ages[run] = min(run_ages[run], ages.get(key, math.inf))
    stale = {run for run, age in run_ages.items() if age >= older_than}
    # Another server may delete the same documents, and another run may reuse a name that is free
    # again: each deletion therefore checks the run.
    deleted_repositories = deleted_users = 0
    for document in repositories:
        if document.run in stale:
            with contextlib.suppress(NotFoundError):
                await organization.delete_repository(document.name, run=document.run)
                deleted_repositories += 1
    for user in users:
        if user.run in stale:
            with contextlib.suppress(NotFoundError):
                await organization.users.delete(user.email, run=user.run)
                deleted_users += 1
    return StaleRunsReport(len(stale), deleted_repositories, deleted_users)
