"""`cloudrepo-server sweep`: asks a server that runs to remove what was left."""

import base64
import urllib.error
import urllib.request
from http.client import HTTPException

import msgspec

from cloudrepo_server.domain.stale_runs import StaleRunsReport
from cloudrepo_server.errors import InvalidError

_TIMEOUT_SECONDS = 300.0


def sweep_server(url: str, login: tuple[str, str], *, runs_older_than: float) -> StaleRunsReport:
    """Let the server at `url` remove what test runs left, and say how much that was.

    Raises:
        InvalidError: it refused, or is not there.
    """
    pair = ":".join(login).encode()
    request = urllib.request.Request(  # noqa: S310 (the scheme was seen to)
        f"{url.rstrip('/')}/api/sweep",
        data=msgspec.json.encode({"runs_older_than": runs_older_than}),
        headers={
            "Authorization": f"Basic {base64.b64encode(pair).decode()}",
            "Content-Type": "application/json",
        },
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
            return msgspec.json.decode(answer.read(), type=StaleRunsReport)
    except urllib.error.HTTPError as error:
        with error:
            raise InvalidError(f"{url} answered {error.code} {error.reason}") from None
    except urllib.error.URLError as error:
        raise InvalidError(f"{url} does not answer: {error.reason}") from None
    except (OSError, HTTPException, msgspec.MsgspecError) as error:
        raise InvalidError(f"{url} does not answer as a cloudrepo-server does: {error}") from None
