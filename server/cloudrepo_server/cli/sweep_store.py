"""`cloudrepo-server sweep --data`: removes from a store itself what was left there."""

import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from cloudrepo_server.domain.garbage import collect_garbage
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.stale_runs import delete_stale_runs
from cloudrepo_server.process.server import open_storage

_LONG = 6 * 60 * 60.0


@dataclass(frozen=True, slots=True)
class StoreSweep:
    """What `cloudrepo-server sweep --data` was told."""

    data: Path | str
    older_than: float
    grace: float
    runs_older_than: float | None = None


async def sweep_store(told: StoreSweep) -> int:
    """Remove what nothing refers to, and say how much that was; the exit status.

    Raises:
        CloudRepoServerError: the store cannot be used, or did not answer.
    """
    storage = await open_storage(told.data)
    organization = Organization(
        "sweep", storage, admin_username="", admin_password=secrets.token_urlsafe()
    )
    try:
        if storage.shared and told.older_than < _LONG:
            print(
                f"WARNING: an upload that takes longer than {told.older_than:g} seconds "
                "loses its bytes.",
                file=sys.stderr,
            )
        if told.runs_older_than is not None:
            runs = await delete_stale_runs(organization, older_than=told.runs_older_than)
            print(f"Removed {runs}.")
        swept = await collect_garbage(storage, older_than=told.older_than, grace=told.grace)
    finally:
        await organization.close()
    print(f"Removed {swept}.")
    if swept.unreadable:
        print(
            "cloudrepo-server: left alone, as a document cannot be read: "
            f"{', '.join(swept.unreadable)}",
            file=sys.stderr,
        )
    return 1 if swept.unreadable else 0
