"""Deletes leftovers by one request to the admin API of a running server."""

import base64
import urllib.error
import urllib.request
from http.client import HTTPException

import msgspec

from cloudrepo_server.domain.stale_runs import StaleRunsReport
from cloudrepo_server.errors import InvalidError

_TIMEOUT_SECONDS = 300.0


def sweep_server(
    url: str, credentials: tuple[str, str], *, runs_older_than: float
) -> StaleRunsReport:
    """Make a server delete the leftovers of killed pytest sessions.

    Args:
        url: the URL of the server.
        credentials: the user name and password of its admin user.
        runs_older_than: the minimum age in seconds of a session whose leftovers are deleted.

    Raises:
        InvalidError: the server rejected the request, or did not respond.
    """
    pair = ":".join(credentials).encode()
    request = urllib.request.Request(  # noqa: S310 (the parser accepts http and https only)
        f"{url.rstrip('/')}/api/sweep",
        data=msgspec.json.encode({"runs_older_than": runs_older_than}),
        headers={
            "Authorization": f"Basic {base64.b64encode(pair).decode()}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as response:  # noqa: S310
            return msgspec.json.decode(response.read(), type=StaleRunsReport)
    except urllib.error.HTTPError as error:
        with error:
            raise InvalidError(
                f"{url} rejected the request to sweep: {error.code} {error.reason}"
            ) from None
    except urllib.error.URLError as error:
        raise InvalidError(f"cannot connect to {url}: {error.reason}") from None
    except (OSError, HTTPException, msgspec.MsgspecError) as error:
        raise InvalidError(f"{url} does not respond like a cloudrepo-server: {error}") from None
