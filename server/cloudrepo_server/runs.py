"""What test runs leave that were killed: repositories and users of theirs, removed by age."""

import contextlib
from collections import defaultdict

import msgspec

from cloudrepo_server.clock import ago
from cloudrepo_server.documents import RepositoryDocument, UserDocument
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.organization import Organization


class RunsSwept(msgspec.Struct, frozen=True):
    """How many runs had left how much, which is removed now."""

    runs: int
    repositories: int
    users: int

    def __str__(self) -> str:
        return (
            f"{self.repositories} repositories and {self.users} users "
            f"that {self.runs} test runs had left"
        )


async def sweep_runs(organization: Organization, *, older_than: float) -> RunsSwept:
    """Remove what runs made that made nothing for `older_than` seconds.

    A run's age is that of the newest thing it made, so that a long run keeps what it made at first.
    What was made for no run stays.

    Raises:
        StorageError: the store did not answer.
    """
    latest: defaultdict[str, str] = defaultdict(str)
    repositories = [each.document for each in await organization.repositories()]
    users = await organization.users.all()
    everything: list[RepositoryDocument | UserDocument] = [*repositories, *users]
    for made in everything:
        if made.run is not None:
            latest[made.run] = max(latest[made.run], made.created)
    before = ago(older_than)
    over = {run for run, moment in latest.items() if moment < before}
    # Another server may sweep at the same time, and another run take a name that was removed.
    removed_repositories = removed_users = 0
    for repository in repositories:
        if repository.run in over:
            with contextlib.suppress(NotFoundError):
                await organization.delete_repository(repository.name, run=repository.run)
                removed_repositories += 1
    for user in users:
        if user.run in over:
            with contextlib.suppress(NotFoundError):
                await organization.users.delete(user.email, run=user.run)
                removed_users += 1
    return RunsSwept(len(over), removed_repositories, removed_users)
