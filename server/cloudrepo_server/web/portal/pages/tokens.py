"""Tokens, each for one repository: list, create and revoke."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from aiohttp import web

from cloudrepo_server.domain.token_values import check_name
from cloudrepo_server.domain.tokens import is_expired
from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_TOKEN_SECONDS
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import TOKENS
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_TOKEN = TOKENS + "/{token}"
_NEVER, _ON_DATE = "never", "date"
_DAYS = {
    "1": "In 1 day",
    "7": "In 7 days",
    "30": "In 30 days",
    "90": "In 90 days",
    "365": "In 365 days",
}
_LIFETIMES = {_NEVER: "Never", **_DAYS, _ON_DATE: "On the date below"}
_DAY_SECONDS = 86_400.0


async def show_list(request: PortalRequest) -> web.Response:
    """Show the tokens, and the form for a new one."""
    return await _render(request)


async def create(request: PortalRequest) -> web.Response:
    """Create a token, and show it on the next page only."""
    name = request.form.get("name", "").strip()
    errors = FormErrors()
    with errors.at("repository"):
        repository = await request.organization.repository(request.form.get("repository", ""))
    with errors.at("name"):
        check_name(name)
    expires_in = _expires_in(request.form, errors)
    if errors:
        return await _render(request, errors)
    _, token = await request.organization.tokens.create(
        repository.document,
        name=name,
        read_only=is_checked(request.form, "read_only"),
        expires_in=expires_in,
    )
    request.add_notice(
        f"A token for the repository {repository.name} was created. "
        "Copy it now: it is not shown again.",
        secret=token,
    )
    return request.redirect(TOKENS)


async def show_revoke(request: PortalRequest) -> web.Response:
    """Show the confirmation page for revoking a token."""
    token = await request.organization.tokens.get(request.path_parameters["token"])
    return request.render("revoke_token.html", token=token, is_expired=is_expired)


async def revoke(request: PortalRequest) -> web.Response:
    """Delete a token, so that the next request with it is rejected with status 401."""
    token_id = request.path_parameters["token"]
    await request.organization.tokens.delete(token_id)
    request.add_notice(f"The token {token_id} was revoked.")
    return request.redirect(TOKENS)


async def _render(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    newest_first = sorted(
        await request.organization.tokens.all(), key=lambda token: token.created, reverse=True
    )
    search = request.query.get("q", "").strip()
    folded = search.casefold()
    found = [
        each
        for each in newest_first
        if any(folded in text.casefold() for text in (each.id, each.name, each.repository))
    ]
    repositories = await request.organization.repositories()
    return request.render(
        "tokens.html",
        errors=errors,
        pagination=paginate(found, request.query, keep=["q"]),
        search=search,
        token_count=len(newest_first),
        names=sorted({name for each in newest_first for name in (each.name, each.id) if name}),
        repositories={each.name: each.name for each in repositories},
        selected=request.form.get("repository") or request.query.get("repository", ""),
        lifetimes=_LIFETIMES,
        today=datetime.now(UTC).date().isoformat(),
        is_expired=is_expired,
    )


def _expires_in(form: Mapping[str, str], errors: FormErrors) -> float | None:
    """Return the seconds after which the new token expires, or None if it never expires."""
    lifetime, day = form.get("lifetime", _NEVER), form.get("expires_on", "").strip()
    if lifetime in _DAYS:
        seconds: float | None = int(lifetime) * _DAY_SECONDS
    else:
        seconds = None
        with errors.at("lifetime"):
            if lifetime not in _LIFETIMES:
                raise InvalidError(
                    f"Unknown lifetime {lifetime[:32]!r}: use one of {', '.join(_LIFETIMES)}."
                )
    with errors.at("expires_on"):
        if lifetime == _ON_DATE:
            return _seconds_until_end_of(day)
        if day:
            raise InvalidError(f"Clear this field, or choose {_LIFETIMES[_ON_DATE]!r} above.")
    return seconds


def _seconds_until_end_of(day: str) -> float:
    try:
        end = datetime.combine(date.fromisoformat(day), time.max, UTC)
    except ValueError:
        raise InvalidError(
            f"Invalid date {day[:32]!r}: enter the last day, in the form YYYY-MM-DD."
        ) from None
    seconds = (end - datetime.now(UTC)).total_seconds()
    if seconds <= 0:
        raise InvalidError(f"The date {day} is in the past.")
    if seconds > MAX_TOKEN_SECONDS:
        raise InvalidError(
            f"The date {day} is too late: a token expires within "
            f"{MAX_TOKEN_SECONDS / _DAY_SECONDS:,.0f} days, or never."
        )
    return seconds


ROUTES = (
    Route("GET", TOKENS, show_list),
    Route("POST", TOKENS, create),
    Route("GET", _TOKEN + "/revoke", show_revoke),
    Route("POST", _TOKEN + "/revoke", revoke),
)
