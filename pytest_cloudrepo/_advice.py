"""Advice in the report of a failed test: what to try after a request failed."""

from __future__ import annotations

from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from pytest_cloudrepo.journal import DECISIVE_FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_cloudrepo.journal import FiredFault, Request

_MAX_ADVICE = 4
_HARMLESS_FAULTS = ("latency", "drip", "slow-headers")
_FILE_HOST = "/files/"
_UPSTREAM_FAILURES = (HTTPStatus.BAD_GATEWAY, HTTPStatus.LOOP_DETECTED)
_ADVICE_BY_STATUS: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "The login is missing or wrong: run the program with `run` of the repository, or give it "
        "the repository's `environ`, or its `username` and `password`."
    ),
    HTTPStatus.FORBIDDEN: "Use the credentials of a user or a token that has this permission.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "The file is too large: raise the setting max_file_size, or publish a smaller file."
    ),
}
_ADVICE_BY_STATUS_OF_FILE_HOST: Final[Mapping[int, str]] = {
    HTTPStatus.BAD_REQUEST: (
        "The program sent the login of the index to the host of files: let the program remove the "
        "header Authorization when it follows a redirect to another host."
    ),
    HTTPStatus.FORBIDDEN: (
        "The URL of the file has expired or is not valid: let the program request the file from "
        "the index again, or raise the setting file_url_seconds."
    ),
}


def failures(requests: Iterable[Request]) -> list[Request]:
    """Return the requests that may explain why a program failed, oldest first.

    These are rejected requests, and requests that a fault changed and not only delayed. Requests
    that were repeated with success are left out. So are those for missing core metadata or
    provenance, which are optional.
    """
    failed: dict[tuple[str, str, str | None], Request] = {}
    for request in requests:
        key = _key(request)
        failed.pop(key, None)
        if request.refused or any(fault.kind not in _HARMLESS_FAULTS for fault in request.faults):
            failed[key] = request
    return [request for request in failed.values() if not _is_optional(request)]


def advice(requests: Iterable[Request], settings: Mapping[str, Any]) -> list[str]:
    """Return what to try after some requests of a test failed, the newest failure last.

    Args:
        requests: the requests to a repository.
        settings: the settings of the repository, as the admin API returns them.
    """
    requests = list(requests)
    tries = Counter(map(_key, requests))
    texts = (_advice_on(each, settings, tries[_key(each)]) for each in failures(requests))
    # A dictionary keeps the order. Repeated advice moves to the end.
    distinct: dict[str, None] = {}
    for text in filter(None, texts):
        distinct.pop(text, None)
        distinct[text] = None
    return list(distinct)[-_MAX_ADVICE:]


def _key(request: Request) -> tuple[str, str, str | None]:
    return request.method, request.path, request.filename


def _is_optional(request: Request) -> bool:
    missing = request.status == HTTPStatus.NOT_FOUND and not request.faults
    return missing and request.kind in {"metadata", "provenance"}


def _advice_on(request: Request, settings: Mapping[str, Any], tries: int) -> str | None:
    fault = next((each for each in request.faults if each.kind not in _HARMLESS_FAULTS), None)
    if fault is not None:
        return _advice_on_fault(request, fault, tries)
    if request.kind == "blocked":
        return _advice_on_blocked_host(request)
    if request.rule is not None:
        return _advice_on_rule(request, settings)
    if request.project and request.status == HTTPStatus.NOT_FOUND and request.kind == "page":
        return _advice_on_missing_project(request.project, request.upstreams)
    if request.upstreams and request.status in _UPSTREAM_FAILURES:
        return (
            f"The request to the upstream {', '.join(request.upstreams)} failed: check its URL and "
            "credentials in the setting upstream, and that the upstream is running."
        )
    is_for_file = request.path.startswith(_FILE_HOST)
    by_status = _ADVICE_BY_STATUS_OF_FILE_HOST if is_for_file else _ADVICE_BY_STATUS
    return by_status.get(request.status)


def _advice_on_blocked_host(request: Request) -> str:
    if request.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return (
            "The proxy did not get the login of `impersonate(..., proxy_login=...)`: check the "
            "proxy's URL that the program uses."
        )
    host = urlsplit(request.path if "//" in request.path else f"//{request.path}").hostname
    return (
        f"To let programs reach {host}, call allow_hosts({host!r}) of the repository; "
        "or publish to the repository what they download from there."
    )


def _advice_on_fault(request: Request, fault: FiredFault, tries: int) -> str:
    name = f"Fault #{fault.number} ({fault.kind})"
    effect = "replaced" if fault.kind in DECISIVE_FAULTS else "changed"
    target = f"{request.method} {request.filename or request.project}"
    retry = (
        f"The program sent this request {tries} times."
        if tries > 1
        else "Let the program retry, or"
    )
    correction = ("L" if tries > 1 else "l") + "imit the fault with `times`, or remove the fault."
    return (
        f"{name} {effect} the response to {target}: the repository itself rejected nothing. "
        f"{retry} {correction}"
    )


def _advice_on_rule(request: Request, settings: Mapping[str, Any]) -> str:
    if request.rule == "file-exists" and settings.get("overwrite_protection"):
        return (
            f"{request.filename} exists already: raise the version, or turn overwrite protection "
            "off with the setting overwrite_protection=False."
        )
    if request.rule in {"file-exists", "filename-reused"}:
        dialect = settings.get("dialect")
        return (
            f"The dialect {dialect} does not replace {request.filename}: raise the version, or use "
            "another dialect."
        )
    correction = f" {request.advice}." if request.advice else ""
    return (
        f"{request.filename} breaks PyPI's rule {request.rule}:{correction} "
        "`cloudrepo-server check FILE` reports all broken rules before an upload."
    )


def _advice_on_missing_project(project: str, upstreams: Sequence[str]) -> str:
    if not upstreams:
        return (
            f"{project} is not in the repository: publish it first, or name an index that has it "
            "in the setting upstream."
        )
    several = "its upstreams" if len(upstreams) > 1 else "its upstream"
    return (
        f"{project} is neither in the repository nor in {several} {', '.join(upstreams)}: "
        "publish the required version in one of them, or add an upstream that has it."
    )
