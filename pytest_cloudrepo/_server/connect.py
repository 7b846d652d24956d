"""The connection of a test process to the index server, which is started if necessary."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo._options import Options
    from pytest_cloudrepo._server.process import RunServer
    from pytest_cloudrepo.client import Server


def connect(run_server: RunServer, options: Options, folder: Path) -> Server:
    """Return the server of `--cloudrepo-url`, or start the session's own server.

    Args:
        run_server: the session's own server.
        options: the options of the session.
        folder: the folder for the files of the repositories' subprocesses.

    Raises:
        CloudRepoError: the server cannot be started or reached, or rejects the admin login.
    """
    if not options.url:
        run_server.start()
    # Imported while the server starts, because importing requests takes about as long.
    from pytest_cloudrepo.client import Server

    if options.url:
        from pytest_cloudrepo.credentials import login_from_environment

        url, login = options.url, login_from_environment()
    else:
        state = run_server.wait_until_ready(options.startup_timeout)
        url, login = state.url, (state.username, state.password)
    server = Server(
        url,
        *login,
        folder=folder,
        command_timeout=options.command_timeout,
        run=run_server.name,
    )
    if options.url:
        server.check()
    return server
