"""The requests of a command to the rehearsed index, from the journal of the repository."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

import msgspec

from cloudrepo_server.cli.rehearsal.report import Rejection, Request
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.http.paths import PRIVATE

_MINT_TOKEN = "mint-token"  # noqa: S105 (the last part of a path)

Form = dict[str, list[str]]
"""The fields of an upload form."""


def accepted_forms(entries: Iterable[Entry]) -> dict[str, Form]:
    """Return the form of the first accepted upload of each file, by the name of the file."""
    forms: dict[str, Form] = {}
    for entry in entries:
        if entry.kind == "upload" and not _is_rejected(entry) and entry.filename is not None:
            encoded = entry.form or b"{}"
            forms.setdefault(entry.filename, msgspec.json.decode(encoded, type=Form))
    return forms


def projects(entries: Iterable[Entry]) -> list[str]:
    """Return the normalized names of the projects with an accepted upload, sorted."""
    return sorted(
        {
            entry.project
            for entry in entries
            if entry.kind == "upload" and not _is_rejected(entry) and entry.project is not None
        }
    )


def rejections(entries: Iterable[Entry]) -> tuple[Rejection, ...]:
    """Return the rejected uploads, and the rejected exchanges of identity tokens."""
    return tuple(
        Rejection(
            filename=entry.filename,
            project=entry.project,
            status=entry.status or 0,
            message=entry.reason,
            rule=entry.rule,
            advice=entry.advice,
            program=_program(entry),
        )
        for entry in entries
        if _is_rejected(entry)
        and (
            entry.kind == "upload"
            or (entry.kind == "trusted-publishing" and entry.path.endswith(_MINT_TOKEN))
        )
    )


def blocked(entries: Iterable[Entry]) -> tuple[Request, ...]:
    """Return the requests to other hosts, each only once."""
    return _unique(entry for entry in entries if entry.kind == "blocked")


def others(entries: Iterable[Entry]) -> tuple[Request, ...]:
    """Return the requests to the index, each only once, with their paths on the index."""
    return _unique(entry for entry in entries if entry.kind != "blocked")


def missing_projects(entries: Sequence[Entry]) -> list[str]:
    """Return the names of the projects that were requested and that the index does not have."""
    return sorted(
        {
            entry.project
            for entry in entries
            if entry.kind == "page"
            and entry.status == HTTPStatus.NOT_FOUND
            and entry.project is not None
        }
    )


def first_failure(entries: Iterable[Entry]) -> str | None:
    """Return the first request to the index that failed, and why; None if none failed."""
    for entry in entries:
        if entry.status is not None and entry.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return f"{entry.method} {_path_on_index(entry.path)}: {entry.status} {entry.reason}"
    return None


def _unique(entries: Iterable[Entry]) -> tuple[Request, ...]:
    requests = [
        Request(
            method=entry.method,
            url=_path_on_index(entry.path),
            status=entry.status or 0,
            reason=entry.reason,
            program=_program(entry),
        )
        for entry in entries
        # A request without a status is still in flight.
        if entry.status is not None
    ]
    return tuple(dict.fromkeys(requests))


def _path_on_index(path: str) -> str:
    # The path of a repository is `/repositories/NAME`; others are not changed.
    if not path.startswith(f"{PRIVATE}/"):
        return path
    return "/" + path.removeprefix(f"{PRIVATE}/").partition("/")[2]


def _is_rejected(entry: Entry) -> bool:
    return entry.status is not None and entry.status >= HTTPStatus.BAD_REQUEST


def _program(entry: Entry) -> str:
    return entry.user_agent.partition(" ")[0]
