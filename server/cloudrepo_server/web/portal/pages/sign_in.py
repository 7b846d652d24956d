"""Sign-in and sign-out."""

import asyncio
import secrets
from urllib.parse import urlencode

from aiohttp import web

from cloudrepo_server.domain.access import AdminUser
from cloudrepo_server.errors import InvalidError, UnauthenticatedError
from cloudrepo_server.web.http.client_address import client_address
from cloudrepo_server.web.http.paths import SIGN_IN_LINK
from cloudrepo_server.web.http.request_state import state_of
from cloudrepo_server.web.portal import HOME
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.paths import (
    SIGN_IN,
    SIGN_OUT,
    is_portal_path,
    repository_path,
    test_path,
)
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.rendering import format_count

_UNAUTHORIZED, _FORBIDDEN, _TOO_MANY_REQUESTS = 401, 403, 429


async def show(request: PortalRequest) -> web.Response:
    """Show the form, or redirect a user who is signed in."""
    if request.username is not None:
        return request.redirect(HOME)
    return _render(request)


async def sign_in(request: PortalRequest) -> web.Response:
    """Start a session for the admin user; reject everybody else."""
    username, password = request.form.get("username", ""), request.form.get("password", "")
    missing = FormErrors()
    if not username.strip():
        missing.add("username", InvalidError("Enter your user name."))
    if not password:
        missing.add("password", InvalidError("Enter your password."))
    if missing:
        return _render(request, errors=missing)
    address = client_address(request.http)
    browser = request.cookies.browser_id(request.http)
    attempt = request.throttle.start_attempt(address, username, known_browser=browser)
    if attempt.wait:
        response = _reject(
            request,
            _TOO_MANY_REQUESTS,
            f"Too many failed sign-ins. Try again in {format_count(attempt.wait, 'second')}.",
        )
        response.headers["Retry-After"] = str(attempt.wait)
        return response
    if attempt.delay:
        await asyncio.sleep(attempt.delay)
    try:
        principal = await request.organization.access.identify(username, password, client=address)
    except UnauthenticatedError:
        return _reject(request, _UNAUTHORIZED, "Wrong user name or password.")
    if not isinstance(principal, AdminUser):
        return _reject(
            request,
            _FORBIDDEN,
            f"{principal.name} cannot sign in here. Repository users and tokens are for pip, twine "
            "and other clients. Sign in as the admin user.",
        )
    request.throttle.succeed(address, username, known_browser=browser)
    next_path = request.form.get("next", "")
    return await _start_session(
        request, principal.name, next_path if is_portal_path(next_path) else HOME
    )


async def follow_link(request: PortalRequest) -> web.Response:
    """Sign the browser in with a one-time link, and redirect to the repository of the link."""
    if request.http.method == "HEAD" or "prefetch" in request.http.headers.get("Sec-Purpose", ""):
        # A program that checks or prefetches the link must not invalidate it.
        return _render(request)
    redeemed = request.organization.sign_in_links.redeem(request.query.get("token", ""))
    if redeemed is None and request.username is not None:
        request.add_notice(
            "This sign-in link was used already, has expired or belongs to another server. "
            f"You are signed in as {request.username}."
        )
        return request.redirect(HOME)
    if redeemed is None:
        return _reject(
            request,
            _UNAUTHORIZED,
            "This sign-in link was used already, has expired or belongs to another server. "
            "Sign in with the admin login instead.",
        )
    username, name = redeemed
    return await _start_session(request, username, await _path_of_link(request, name))


async def _path_of_link(request: PortalRequest, name: str) -> str:
    """Return the page to which a link for a repository leads: if its test failed, to the test."""
    repository = await request.organization.find(name)
    document = None if repository is None else repository.document
    result = None if document is None else request.organization.testkit.test_of(document.id)
    if document is not None and document.run and result is not None and result.outcome == "failed":
        return test_path(name)
    return repository_path(name)


async def _start_session(request: PortalRequest, username: str, path: str) -> web.Response:
    """Sign the browser in, and redirect to a page."""
    state_of(request.http).details.user = username
    sessions = request.organization.sessions
    # A new session id, so that an id from before the sign-in gives access to nothing.
    await sessions.end(request.session_id)
    response = request.redirect(path)
    session_id = await sessions.start(username)
    browser = request.cookies.browser_id(request.http)
    request.cookies.set_session(request.http, response, session_id)
    request.cookies.set_browser(request.http, response, browser or secrets.token_urlsafe(24))
    return response


async def sign_out(request: PortalRequest) -> web.Response:
    """End the session, for this browser and for every copy of its cookie."""
    await request.organization.sessions.end(request.session_id)
    response = request.redirect(SIGN_IN)
    request.cookies.clear_session(request.http, response)
    return response


def redirect_to_sign_in(request: PortalRequest) -> web.Response:
    """Redirect to the sign-in page, which later redirects back to the requested page."""
    requested = request.http.path_qs
    if request.http.method != "GET" or not is_portal_path(requested) or requested == HOME:
        return request.redirect(SIGN_IN)
    return request.redirect(f"{SIGN_IN}?{urlencode({'next': requested})}")


def _reject(request: PortalRequest, status: int, message: str) -> web.Response:
    """Show the form again, with a message that concerns the whole form."""
    errors = FormErrors()
    errors.add("", InvalidError(message))
    response = _render(request, errors=errors)
    response.set_status(status, response.reason)
    return response


def _render(request: PortalRequest, *, errors: FormErrors | None = None) -> web.Response:
    next_path = request.form.get("next") or request.query.get("next", "")
    response = request.render(
        "sign_in.html",
        errors=errors,
        next_path=next_path if is_portal_path(next_path) else "",
    )
    # The form's token is derived from the session id, so the browser needs the cookie already.
    request.cookies.set_session(request.http, response, request.session_id)
    return response


ROUTES = (
    Route("GET", SIGN_IN, show, sign_in_required=False),
    Route("POST", SIGN_IN, sign_in, sign_in_required=False),
    Route("GET", SIGN_IN_LINK, follow_link, sign_in_required=False),
    Route("POST", SIGN_OUT, sign_out),
)
