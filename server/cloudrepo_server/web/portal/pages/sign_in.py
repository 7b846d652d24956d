"""Signing in and out."""

from urllib.parse import urlencode

from aiohttp import web

from cloudrepo_server.domain.access import AdminUser
from cloudrepo_server.errors import UnauthenticatedError
from cloudrepo_server.web.portal.paths import HOME, SIGN_IN, is_portal_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.rendering import counted

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 401, 403, 429


async def show(request: PortalRequest) -> web.Response:
    """The form."""
    if request.username is not None:
        return request.redirect(HOME)
    return _form(request)


async def sign_in(request: PortalRequest) -> web.Response:
    """A session for the admin user, and for nobody else."""
    username, address = request.form.get("username", ""), request.http.remote or ""
    wait = request.throttle.begin(address, username)
    if wait:
        refusal = _form(
            request, _TOO_MANY, f"Too many sign-ins failed. Try again in {counted(wait, 'second')}."
        )
        refusal.headers["Retry-After"] = str(wait)
        return refusal
    try:
        principal = await request.organization.access.identify(
            username, request.form.get("password", "")
        )
    except UnauthenticatedError:
        return _form(request, _UNAUTHORIZED, "The e-mail or the password is wrong.")
    if not isinstance(principal, AdminUser):
        return _form(
            request,
            _FORBIDDEN,
            f"{principal.name} reaches the repositories with pip, twine and the like, not this "
            "portal: sign in as the admin user.",
        )
    request.throttle.succeed(address, username)
    sessions = request.organization.sessions
    await sessions.end(request.session_id)
    wanted = request.form.get("next", "")
    response = request.redirect(wanted if is_portal_path(wanted) else HOME)
    request.cookies.set_session(request.http, response, await sessions.start(principal.name))
    return response


async def sign_out(request: PortalRequest) -> web.Response:
    """No session any more, here or wherever its cookie was copied to."""
    await request.organization.sessions.end(request.session_id)
    response = request.redirect(SIGN_IN)
    request.cookies.clear_session(request.http, response)
    return response


def redirect_to_sign_in(request: PortalRequest) -> web.Response:
    """Where somebody who is not signed in is led, and from there back to what was asked for."""
    asked = request.http.path_qs
    if request.http.method != "GET" or not is_portal_path(asked) or asked == HOME:
        return request.redirect(SIGN_IN)
    return request.redirect(f"{SIGN_IN}?{urlencode({'next': asked})}")


def _form(request: PortalRequest, status: int = 200, error: str | None = None) -> web.Response:
    wanted = request.form.get("next") or request.query.get("next", "")
    page = request.render(
        "sign_in.html",
        status=status,
        error=error,
        form=request.form,
        wanted=wanted if is_portal_path(wanted) else "",
    )
    # The form's token is good for this browser alone, so it is told who it is.
    request.cookies.set_session(request.http, page, request.session_id)
    return page


ROUTES = (
    Route("GET", SIGN_IN, show, sign_in_required=False),
    Route("POST", SIGN_IN, sign_in, sign_in_required=False),
    Route("POST", "/portal/sign-out", sign_out),
)
