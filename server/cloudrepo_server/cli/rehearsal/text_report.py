"""The report of a rehearsal as text, for people."""

import sys
from collections.abc import Iterator, Sequence

from cloudrepo_server.cli.output import one_line, printable_lines
from cloudrepo_server.cli.rehearsal.report import (
    Difference,
    Rejection,
    Report,
    Request,
    UploadedFile,
)
from cloudrepo_server.cli.terminal import coloured, cross, tick

_ONE_AT_A_TIME = (
    "PyPI reports one problem of a file at a time. `cloudrepo-server check` reports all."
)
_MAX_REQUESTS = 20
_MAX_OUTPUT_LINES = 20


def as_text(report: Report) -> str:
    """Return the report, with its result in the last line; in colour on a terminal."""
    lines = [f"Rehearsal of a release on {report.index}"]
    for file in report.files:
        lines.append(one_line(file.filename))
        lines += [f"  {line}" for line in _file_lines(report, file)]
    for rejection in report.rejections:
        lines.append(rejection_title(rejection))
        lines += [f"  {line}" for line in _rejection_lines(rejection)]
    if any(rejection.rule is not None for rejection in report.rejections):
        lines.append(_ONE_AT_A_TIME)
    if report.uploaded_nothing:
        lines += _requests("Requests to the index", report.requests)
    lines += _requests("Blocked requests to other hosts", report.blocked)
    lines.append(result(report))
    return "\n" + "".join(f"{line}\n" for line in lines)


def result(report: Report) -> str:
    """Return the result of a rehearsal in one or two sentences."""
    if report.signal is not None:
        begin = f"Interrupted by {report.signal}."
    elif report.command_status:
        begin = f"The command failed with the exit status {report.command_status}."
    else:
        begin = "The command succeeded."
    if report.uploaded_nothing:
        return f"{begin} It uploaded nothing to {report.index}.{_hint(report)}"
    counts = [f"{_number(len(report.files), 'file')} uploaded"]
    if report.rejections:
        counts.append(f"{len(report.rejections)} rejected")
    for status, words in (("failed", "not installable"), ("skipped", "not installed here")):
        number = sum(file.installation.status == status for file in report.files)
        if number:
            counts.append(f"{number} {words}")
    return f"{begin} {', '.join(counts)}."


def rejection_title(rejection: Rejection) -> str:
    """Return what was rejected: a file, or a request that names none."""
    if rejection.filename is not None:
        return one_line(rejection.filename)
    return one_line(f"request of {rejection.program or 'an unknown program'}")


def difference_text(difference: Difference) -> str:
    """Return a difference as a sentence without its end."""
    shown = "the upload form has"
    if difference.source != "upload form":
        shown = f"the {difference.source} shows"
    values = [
        "none" if value is None else repr(value) for value in (difference.shown, difference.archive)
    ]
    return one_line(f"{difference.field}: {shown} {values[0]}, the file has {values[1]}")


def upload_text(file: UploadedFile) -> str:
    """Return the size, the digest and the attestations of a file."""
    attested = ""
    if file.attestations:
        types = ", ".join(each.rpartition("attestations/")[2] for each in file.attestations)
        attested = f", {_number(len(file.attestations), 'attestation')} ({types})"
    return one_line(f"{file.size:,} bytes, sha256 {file.sha256}{attested}")


def _file_lines(report: Report, file: UploadedFile) -> Iterator[str]:
    yield f"{tick()} uploaded: {upload_text(file)}"
    installation = file.installation
    if installation.status == "installed":
        dependencies = "with" if report.with_dependencies else "without"
        yield f"{tick()} pip installs it, {dependencies} its dependencies"
    elif installation.status == "skipped":
        yield f"- {one_line(installation.reason or '')}"
    else:
        yield f"{cross()} pip cannot install it: {one_line(installation.reason or '')}"
        output = printable_lines(installation.output or "")
        yield from (f"    {line}" for line in output[-_MAX_OUTPUT_LINES:])
    for difference in file.differences or ():
        yield f"{coloured('!', 'yellow', sys.stdout)} {difference_text(difference)}"
    if file.differences == ():
        yield f"{tick()} the index shows the metadata in the file"


def _rejection_lines(rejection: Rejection) -> Iterator[str]:
    yield f"{cross()} rejected: {rejection.status} {one_line(rejection.message)}"
    if rejection.rule is not None:
        yield f"  rule {rejection.rule}: {one_line(rejection.advice or '')}"


def _requests(title: str, requests: Sequence[Request]) -> Iterator[str]:
    if not requests:
        return
    yield f"{title}:"
    for request in requests[:_MAX_REQUESTS]:
        program = f" ({request.program})" if request.program else ""
        text = f"{request.method} {request.url}: {request.status} {request.reason}{program}"
        yield f"  {one_line(text)}"
    if len(requests) > _MAX_REQUESTS:
        yield f"  and {len(requests) - _MAX_REQUESTS} more"


def _hint(report: Report) -> str:
    """Return advice on how the command must publish, or nothing if it failed without a request."""
    tried = report.requests or report.blocked or not report.command_status
    if report.signal is not None or not tried:
        return ""
    if report.publisher is not None:
        return f" It must publish by trusted publishing, as a job of {report.publisher}."
    return (
        " It must upload to the default URL of that index, with the token in its environment. "
        "If it publishes by trusted publishing, name its job with --trust."
    )


def _number(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
