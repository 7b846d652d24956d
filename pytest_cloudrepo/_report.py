"""The sections that the plugin adds to the report of a failed test."""

from __future__ import annotations

import re
from contextlib import contextmanager
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from pytest_cloudrepo._advice import advice
from pytest_cloudrepo._request_table import coloured, request_table
from pytest_cloudrepo.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_cloudrepo._server.run_folder import RunFolder
    from pytest_cloudrepo.journal import Request
    from pytest_cloudrepo.repository import Repository

_LOG_LINES = 30
# pytest's explanation of an assertion about a false value, and the beginning of each further line.
_IS_FALSE = re.compile(r"assert False\n +\+ +where False = (.*)")
_WHERE = re.compile(r"\n +\+ +where ")
_COMMAND_ERROR = "pytest_cloudrepo.CommandError: "
_TITLE = "cloudrepo: requests to "


def report_sections(
    repositories: Iterable[Repository],
    folder: RunFolder | None,
    *,
    since: Mapping[Repository, int] = MappingProxyType({}),
) -> Iterator[tuple[str, str]]:
    """Yield a title and a text for each repository, those without requests first.

    Args:
        repositories: the repositories of the test.
        folder: the folder with the server's log, if this pytest session started the server.
        since: the number of the last request that is left out, for repositories of several tests.
    """
    unused: dict[str, str] = {}
    queried_by: dict[str, str] = {}
    described: list[tuple[str, str]] = []
    for repository in repositories:
        title = _TITLE + repository.name
        try:
            number = since.get(repository, 0)
            requests = repository.requests_since(number) if number else repository.requests
            text = _describe(repository, requests) if requests else ""
        except ServerError as error:
            if error.status == HTTPStatus.CONFLICT:  # a server with shared storage keeps no journal
                continue
            log = "" if folder is None else _relevant_log(repository.name, folder.log())
            described.append((title, f"{error}\n{log}".rstrip()))
        except Exception as error:  # noqa: BLE001 - the test may have replaced sockets or more,
            # and an exception in this hook would end the whole pytest session.
            described.append((title, f"The requests cannot be shown: {error!r}"))
        else:
            title += " during this test" if number else ""
            if not requests:
                unused[repository.name] = title
                continue
            queried_by |= {name: repository.name for each in requests for name in each.upstreams}
            described.append((title, text))
    for name, title in unused.items():
        downstream = queried_by.get(name)
        as_upstream = f", except that {downstream} queried it as its upstream" if downstream else ""
        yield title, f"No requests{as_upstream}."
    yield from described


def name_failed_program(report: pytest.TestReport) -> None:
    """Let a failed test's line in pytest's summary begin with the program that failed.

    The summary contains only the first line of the message, up to the edge of the terminal. Without
    this, `assert result.ok` would be `assert False`, and the name of `CommandError` would come
    before its text.
    """
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is None:
        return
    crash.message = crash.message.removeprefix(_COMMAND_ERROR)
    if "<CommandResult " in crash.message:
        crash.message = _WHERE.sub(", where ", _IS_FALSE.sub(r"assert \1", crash.message))


@contextmanager
def in_colour(terminal: pytest.TerminalReporter) -> Iterator[None]:
    """Colour the tables of requests in the reports of failed tests for the duration of the context.

    Other plugins write the same reports to files, without colours.
    """
    originals = []
    for report in failed_reports(terminal):
        sections = report.sections
        if any(title.startswith(_TITLE) for title, _ in sections):
            originals.append((report, sections))
            report.sections = [
                (title, coloured(text) if title.startswith(_TITLE) else text)
                for title, text in sections
            ]
    try:
        yield
    finally:
        for report, sections in originals:
            report.sections = sections


def failed_reports(terminal: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """Return the reports of the tests that failed, or whose fixtures failed."""
    return [
        report
        for outcome in ("failed", "error")
        for report in terminal.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport)
    ]


def _describe(repository: Repository, requests: Sequence[Request]) -> str:
    table = request_table(
        requests,
        path_prefix=urlsplit(repository.url).path,
        default_user=repository.username,
    )
    lines = advice(requests, repository.settings)
    return "\n".join([table, *(f"-> {line}" for line in lines)])


def _relevant_log(name: str, log: str) -> str:
    """Return the end of the server's log, without lines about other repositories."""
    own = re.compile(rf"/repositories/{re.escape(name)}(?![\w-])")
    lines = [line for line in log.splitlines() if "/repositories/" not in line or own.search(line)]
    if not lines:
        return ""
    return "\n".join(["The end of the server's log:", *lines[-_LOG_LINES:]])
