"""Signing in and out."""

from urllib.parse import urlencode

from aiohttp import web

from cloudrepo_server.domain.organization import AdminUser
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.portal.paths import HOME, SIGN_IN, is_portal_path
from cloudrepo_server.web.portal.rendering import counted
from cloudrepo_server.web.portal.visit import Route, Visit

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429


async def show(visit: Visit) -> web.Response:
    """The form."""
    if visit.username is not None:
        return visit.go(HOME)
    return _form(visit)


async def sign_in(visit: Visit) -> web.Response:
    """A session for the admin user, and for nobody else."""
    username, address = visit.form.get("username", ""), visit.request.remote or ""
    wait = visit.throttle.begin(address, username)
    if wait:
        refusal = _form(
            visit, _TOO_MANY, f"Too many sign-ins failed. Try again in {counted(wait, 'second')}."
        )
        refusal.headers["Retry-After"] = str(wait)
        return refusal
    try:
        principal = await visit.organization.identify(username, visit.form.get("password", ""))
    except UnauthenticatedError:
        return _form(visit, _UNAUTHORIZED, "The e-mail or the password is wrong.")
    if not isinstance(principal, AdminUser):
        return _form(
            visit,
            _FORBIDDEN,
            f"{principal.name} reaches the repositories with pip, twine and the like, not this "
            "portal: sign in as the admin user.",
        )
    visit.throttle.succeed(address, username)
    sessions = visit.organization.sessions
    await sessions.end(visit.identity)
    wanted = visit.form.get("next", "")
    response = visit.go(wanted if is_portal_path(wanted) else HOME)
    visit.cookies.identify(visit.request, response, await sessions.begin(principal.name))
    return response


async def sign_out(visit: Visit) -> web.Response:
    """No session any more, here or wherever its cookie was copied to."""
    await visit.organization.sessions.end(visit.identity)
    response = visit.go(SIGN_IN)
    visit.cookies.forget(visit.request, response)
    return response


def way_to_sign_in(visit: Visit) -> web.Response:
    """Where somebody who is not signed in is led, and from there back to what was asked for."""
    asked = visit.request.path_qs
    if visit.request.method != "GET" or not is_portal_path(asked) or asked == HOME:
        return visit.go(SIGN_IN)
    return visit.go(f"{SIGN_IN}?{urlencode({'next': asked})}")


def _form(visit: Visit, status: int = 200, error: str | None = None) -> web.Response:
    wanted = visit.form.get("next") or visit.query.get("next", "")
    page = visit.page(
        "sign_in.html",
        status=status,
        error=error,
        form=visit.form,
        wanted=wanted if is_portal_path(wanted) else "",
    )
    # The form's token is good for this browser alone, so it is told who it is.
    visit.cookies.identify(visit.request, page, visit.identity)
    return page


ROUTES = (
    Route("GET", SIGN_IN, show, open=True),
    Route("POST", SIGN_IN, sign_in, open=True),
    Route("POST", "/portal/sign-out", sign_out),
)
