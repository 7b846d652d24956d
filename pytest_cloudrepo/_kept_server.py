"""Reports the results of tests to a server that keeps running, and shows how to use it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._api import Api
from pytest_cloudrepo._programs.secret import issue
from pytest_cloudrepo._report import failed_reports
from pytest_cloudrepo._server.process import stop_command
from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_cloudrepo._server.run_folder import ServerState
    from pytest_cloudrepo.repository import Repository

_MAX_TESTS = 20
_PHASES = pytest.StashKey["list[pytest.TestReport]"]()
# pytest-xdist sends this attribute of a report to its controller. Plugins that write reports to
# files do not write it.
_ATTRIBUTE = "cloudrepo_repositories"


def record_phase(
    item: pytest.Item, report: pytest.TestReport, repositories: Sequence[Repository]
) -> None:
    """Record a phase of a test. After the last phase, send the result of the test to the server.

    Args:
        item: the test.
        report: the report of its setup, its call or its teardown.
        repositories: the repositories of the test.
    """
    setattr(report, _ATTRIBUTE, [repository.name for repository in repositories])
    phases = item.stash.setdefault(_PHASES, [])
    phases.append(report)
    if report.when != "teardown":
        return
    result = {
        "node_id": item.nodeid,
        "outcome": _outcome(phases),
        "seconds": sum(phase.duration for phase in phases),
    }
    for repository in repositories:
        # The test may have deleted the repository, stopped the server or replaced sockets.
        with contextlib.suppress(Exception):
            repository.report_test(result)


def write_summary(terminal: pytest.TerminalReporter, state: ServerState) -> None:
    """Write the failed tests with links, the admin login, and how to stop the server."""
    terminal.section("cloudrepo: the index server keeps running")
    failed: dict[str, list[str]] = {}
    for report in failed_reports(terminal):
        names = failed.setdefault(report.nodeid, [])
        names += [name for name in getattr(report, _ATTRIBUTE, []) if name not in names]
    failed = {node_id: names for node_id, names in failed.items() if names}
    if failed:
        _write_links(terminal, state, failed)
    terminal.line(f"URL: {state.url}")
    terminal.line(f"admin login: {state.username} {state.password}")
    terminal.line(f"to stop it: {stop_command(state.pid)}")


def _write_links(
    terminal: pytest.TerminalReporter, state: ServerState, failed: dict[str, list[str]]
) -> None:
    api = Api(state.url, state.username, state.password)
    try:
        terminal.line("failed tests; each link signs you in once, within 15 minutes:")
        for node_id, names in list(failed.items())[:_MAX_TESTS]:
            terminal.line(f"  {node_id}")
            terminal.line(f"    {_link(api, names)}")
    finally:
        api.close()
    if len(failed) > _MAX_TESTS:
        terminal.line(f"  ... and {len(failed) - _MAX_TESTS} more: {state.url}/portal/tests")


def _link(api: Api, repositories: Sequence[str]) -> str:
    """Return a link to the page of the test, which any of its repositories identifies."""
    problems = []
    for repository in repositories:
        try:
            url: str = api.call("POST", "sign-in-links", json={"repository": repository})["url"]
        except ServerError as error:  # the test deleted the repository, or stopped the server
            problems.append(f"{repository}: {error}")
        else:
            issue(url.rpartition("=")[2])
            return url
    return "; ".join(problems)


def _outcome(phases: Sequence[pytest.TestReport]) -> str:
    outcomes = [phase.outcome for phase in phases]
    return next((each for each in ("failed", "skipped") if each in outcomes), "passed")
