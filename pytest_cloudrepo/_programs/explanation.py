"""Explains why a program failed, with the requests that the server rejected while it ran."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_cloudrepo._advice import failures
from pytest_cloudrepo._programs.result import MAX_REASON, CommandError, CommandResult
from pytest_cloudrepo.journal import describe_rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_cloudrepo.journal import Request


def explain(result: CommandResult, requests: Sequence[Request], *, check: bool) -> CommandResult:
    """Return the result of a failed program with the request that explains the failure.

    Args:
        result: the result.
        requests: the requests that the server received while the program ran.
        check: whether to raise an exception instead of returning the result.

    Raises:
        CommandError: `check` is true.
    """
    __tracebackhide__ = True
    failed = failures(requests)
    if failed:
        result = replace(result, rejection=_reason(failed[-1])[:MAX_REASON])
    if check:
        raise CommandError(result, rejected_requests=describe_rejected(requests))
    return result


def _reason(request: Request) -> str:
    if request.refused or not request.status:
        return request.outcome
    faults = " and ".join(f"fault #{fault.number} ({fault.kind})" for fault in request.faults)
    return f"{faults} changed the response to {request.method} {request.filename or request.path}"
