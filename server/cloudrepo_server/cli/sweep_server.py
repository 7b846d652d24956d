"""Deletes leftovers by one request to the admin API of a running server."""

import msgspec

from cloudrepo_server.cli.admin_client import AdminClient
from cloudrepo_server.domain.stale_runs import StaleRunsReport
from cloudrepo_server.errors import InvalidError


def sweep_server(client: AdminClient, *, runs_older_than: float) -> StaleRunsReport:
    """Make a server delete the leftovers of killed pytest sessions.

    Args:
        client: the client of the server.
        runs_older_than: the minimum age in seconds of a session whose leftovers are deleted.

    Raises:
        InvalidError: the server rejected the request, or did not respond.
    """
    report = client.call("POST", "sweep", json={"runs_older_than": runs_older_than})
    try:
        return msgspec.convert(report, StaleRunsReport)
    except msgspec.ValidationError as error:
        raise InvalidError(
            f"{client.url} does not respond like a cloudrepo-server: {error}"
        ) from None
