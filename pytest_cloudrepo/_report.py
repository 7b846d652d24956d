"""The sections that the plugin adds to the report of a failed test."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_cloudrepo._server.run_folder import RunFolder
    from pytest_cloudrepo.repository import Repository

LOG_LINES = 30


def report_sections(
    repositories: Iterable[Repository], folder: RunFolder | None
) -> Iterator[tuple[str, str]]:
    """Yield a title and a text for each repository.

    Args:
        repositories: the repositories of the test.
        folder: the folder with the server's log, if this pytest session started the server.
    """
    for repository in repositories:
        title = f"cloudrepo: requests to {repository.name}"
        try:
            journal = repository.requests
        except ServerError as error:
            if error.status == HTTPStatus.CONFLICT:  # a server with shared storage keeps no journal
                continue
            log = "" if folder is None else _relevant_log(repository.name, folder.log())
            yield title, f"{error}\n{log}".rstrip()
        except Exception as error:  # noqa: BLE001 - the test may have replaced sockets or more,
            # and an exception in this hook would end the whole pytest session.
            yield title, f"The requests cannot be shown: {error!r}"
        else:
            path = urlsplit(repository.url).path
            table = journal.table(path_prefix=path, default_user=repository.username)
            yield title, table or "No requests."


def _relevant_log(name: str, log: str) -> str:
    """Return the end of the server's log, without lines about other repositories."""
    own = re.compile(rf"/repositories/{re.escape(name)}(?![\w-])")
    lines = [line for line in log.splitlines() if "/repositories/" not in line or own.search(line)]
    if not lines:
        return ""
    return "\n".join(["The end of the server's log:", *lines[-LOG_LINES:]])
