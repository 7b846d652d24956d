"""Deletes leftovers and garbage directly in a store, without a server."""

import secrets
import sys
from pathlib import Path

from cloudrepo_server.cli.terminal import print_error
from cloudrepo_server.domain.garbage import collect_garbage
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.stale_runs import delete_stale_runs
from cloudrepo_server.process.storage import open_storage

_LONG_UPLOAD_SECONDS = 6 * 60 * 60.0


async def sweep_store(
    data: Path | str, *, older_than: float, grace: float, runs_older_than: float | None
) -> int:
    """Delete leftovers and garbage from a store, print how much, and return the exit status.

    Args:
        data: a folder, or the URL of an object store.
        older_than: the minimum age in seconds of a blob that is deleted.
        grace: the seconds between finding an orphaned blob and deleting it, so that clients can
            finish downloads.
        runs_older_than: the minimum age in seconds of a pytest session whose leftovers are deleted
            first.

    Raises:
        CloudRepoServerError: the store cannot be used, or did not respond.
    """
    storage = await open_storage(data, create=False)
    organization = Organization(
        "sweep", storage, admin_username="", admin_password=secrets.token_urlsafe()
    )
    try:
        if storage.shared and older_than < _LONG_UPLOAD_SECONDS:
            print(
                f"WARNING: an upload that takes longer than {older_than:g} seconds may fail, "
                "because the sweep deletes its blobs: use a longer --older-than.",
                file=sys.stderr,
            )
        if runs_older_than is not None:
            runs = await delete_stale_runs(organization, older_than=runs_older_than)
            print(f"Removed {runs}.")
        garbage = await collect_garbage(storage, older_than=older_than, grace=grace)
    finally:
        await organization.close()
    print(f"Removed {garbage}.")
    if garbage.unreadable:
        print_error(
            "kept all blobs of these repositories, because a document cannot be "
            f"read: {', '.join(garbage.unreadable)}"
        )
    return 1 if garbage.unreadable else 0
