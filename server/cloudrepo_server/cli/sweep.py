"""The command `cloudrepo-server sweep`: delete leftovers, through a server or in a store."""

import argparse
import os

from cloudrepo_server.cli import arguments
from cloudrepo_server.cli.admin_options import admin_credentials
from cloudrepo_server.cli.event_loop import run_in_event_loop
from cloudrepo_server.cli.terminal import progress
from cloudrepo_server.errors import InvalidError

EXAMPLES = (
    "sweep --url http://index.example:8080 --runs-older-than 12h",
    "sweep --data ./index",
    "sweep --data s3://bucket/index --older-than 2d",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `sweep`."""
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument(
        "--url",
        type=arguments.server_url,
        help="let the running server at this URL sweep; the name of its admin user is read from "
        "the variable CLOUDREPO_ADMIN_USERNAME (default: admin@example.com), the password from "
        "CLOUDREPO_ADMIN_PASSWORD or from the terminal",
    )
    target.add_argument(
        "--data",
        type=arguments.data_location,
        metavar="DIR|URL",
        help="sweep this folder, which no server may be using, or this shared object store",
    )
    parser.add_argument(
        "--runs-older-than",
        type=arguments.age,
        metavar="AGE",
        help="delete the repositories and users of pytest sessions of at least this age, such as "
        "90m, 12h or 2d (required with --url). The age counts from the session's last change to a "
        "repository or user; it must be longer than any session takes.",
    )
    parser.add_argument(
        "--older-than",
        type=arguments.age,
        default=86_400.0,
        metavar="AGE",
        help="with --data: keep files younger than this; "
        "must be longer than any upload takes (default: 1d)",
    )
    parser.add_argument(
        "--grace",
        type=arguments.age,
        default=60.0,
        metavar="DURATION",
        help="with --data: how long a listed file stays downloadable after it was replaced "
        "or deleted (default: 60s)",
    )


def run(parsed: argparse.Namespace) -> int:
    """Delete leftovers, print how many there were, and return the exit status.

    Raises:
        CloudRepoServerError: the server or the store cannot be used.
    """
    # Imported here because each of the two imports many modules that the parser does not need.
    if parsed.data is not None:
        from cloudrepo_server.cli.sweep_store import sweep_store

        os.umask(0o077)
        with progress(f"Sweeping {parsed.data}"):
            return run_in_event_loop(
                sweep_store(
                    parsed.data,
                    older_than=parsed.older_than,
                    grace=parsed.grace,
                    runs_older_than=parsed.runs_older_than,
                )
            )
    from cloudrepo_server.cli.admin_client import AdminClient
    from cloudrepo_server.domain.stale_runs import StaleRunsReport

    if parsed.runs_older_than is None:
        raise InvalidError("--url requires --runs-older-than AGE, such as 12h")
    client = AdminClient(parsed.url, *admin_credentials())
    with progress(f"Sweeping {parsed.url}"):
        report = client.call(
            "POST",
            "sweep",
            json={"runs_older_than": parsed.runs_older_than},
            expected=StaleRunsReport,
        )
    print(f"Removed {report}.")
    return 0
