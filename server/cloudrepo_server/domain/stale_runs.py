"""What test runs leave that were killed: repositories and users of theirs, removed by age."""

import contextlib
import math
from collections import defaultdict

import msgspec

from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.keys import repository_key, user_key


class StaleRunsReport(msgspec.Struct, frozen=True):
    """How many runs had left how much, which is removed now."""

    runs: int
    repositories: int
    users: int

    def __str__(self) -> str:
        return (
            f"{self.repositories} repositories and {self.users} users "
            f"that {self.runs} test runs had left"
        )


async def delete_stale_runs(organization: Organization, *, older_than: float) -> StaleRunsReport:
    """Remove what runs made that made nothing for `older_than` seconds.

    A run's age is that of the newest thing it made or changed, so that a long run keeps what it
    made at first. What was made for no run stays.

    Raises:
        StorageError: the store did not answer.
    """
    repositories = [each.document for each in await organization.repositories()]
    users = await organization.users.all()
    ages = await organization.ages()
    youngest: defaultdict[str, float] = defaultdict(lambda: math.inf)
    made = [(each.run, repository_key(each.name)) for each in repositories]
    made += [(each.run, user_key(each.email)) for each in users]
    for run, key in made:
        if run is not None:
            # What is not there any more is somebody else's to remove.
            youngest[run] = min(youngest[run], ages.get(key, math.inf))
    over = {run for run, age in youngest.items() if age >= older_than}
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
    return StaleRunsReport(len(over), removed_repositories, removed_users)
