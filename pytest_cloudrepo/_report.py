"""What a failed test's report says of the test's repositories."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_cloudrepo._server.run_folder import RunFolder
    from pytest_cloudrepo.repository import Repository

LOG_LINES = 30
CONFLICT = 409


def sections(
    repositories: Iterable[Repository], folder: RunFolder | None
) -> Iterator[tuple[str, str]]:
    """A title and a text for each repository.

    Args:
        repositories: the test's.
        folder: where the server's log is, if this run started it.
    """
    for repository in repositories:
        title = f"cloudrepo: requests to {repository.name}"
        try:
            journal = repository.requests
        except ServerError as error:
            if error.status == CONFLICT:  # the server shares its store, and keeps no journal
                continue
            log = "" if folder is None else _log_of(repository.name, folder.log())
            yield title, f"{error}\n{log}".rstrip()
        except Exception as error:  # noqa: BLE001 - the test has sockets or more replaced; an
            # error here would end the whole run.
            yield title, f"What they were cannot be said: {error!r}"
        else:
            path = urlsplit(repository.url).path
            table = journal.table(below=path, user=repository.username)
            yield title, table or "No request arrived."


def _log_of(name: str, log: str) -> str:
    """The end of the server's log, without what is about other repositories only."""
    own = re.compile(rf"/repositories/{re.escape(name)}(?![\w-])")
    lines = [line for line in log.splitlines() if "/repositories/" not in line or own.search(line)]
    if not lines:
        return ""
    return "\n".join(["The server's last words:", *lines[-LOG_LINES:]])
