"""Repository users: list, create, change and revoke."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.users import MIN_PASSPHRASE, check_passphrase
from cloudrepo_server.models import UserDocument
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import search_names
from cloudrepo_server.web.portal.paths import CREATE_USER, USER, USERS, user_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route
from cloudrepo_server.web.portal.sorting import Column, read_sorting

_COLUMNS = (
    Column("name", "User"),
    Column("access", "Access"),
    Column("created", "Created", largest_first=True, is_number=True),
)
_SORT_KEYS: Mapping[str, Callable[[UserDocument], Any]] = {
    "name": lambda user: user.email,
    "access": lambda user: user.read_only,
    "created": lambda user: user.created,
}


async def show_list(request: PortalRequest) -> web.Response:
    """Show the users."""
    users = {each.email: each for each in await request.organization.users.all()}
    search = request.query.get("q", "")
    sorting = read_sorting(_COLUMNS, request.query, keep=["q"])
    found = [users[email] for email in search_names(list(users), search)]
    pagination = sorting.paginate(sorting.sort(found, _SORT_KEYS), request.query)
    return request.render(
        "users.html",
        rows=pagination.items,
        pagination=pagination,
        sorting=sorting,
        search=search,
        user_count=len(users),
        names=list(users),
    )


async def show_create(request: PortalRequest) -> web.Response:
    """Show the form for a new user."""
    return request.render("create_user.html", min_passphrase=MIN_PASSPHRASE)


async def create(request: PortalRequest) -> web.Response:
    """Create a user; a generated passphrase is shown on the next page only."""
    email = request.form.get("email", "").strip()
    passphrase = request.form.get("passphrase") or None
    errors = FormErrors()
    with errors.at("email"):
        await request.organization.users.check_new_email(email)
    with errors.at("passphrase"):
        if passphrase is not None:
            check_passphrase(passphrase)
    if not errors:
        with errors.at("email"):
            user, generated = await request.organization.users.create(
                email, passphrase=passphrase, read_only=is_checked(request.form, "read_only")
            )
    if errors:
        return request.render("create_user.html", errors=errors, min_passphrase=MIN_PASSPHRASE)
    if generated is None:
        request.add_notice(f"The user {user.email} was created.")
    else:
        request.add_notice(
            f"The user {user.email} was created. Copy the passphrase now: it is not shown again.",
            secret=generated,
        )
    return request.redirect(user_path(user.email))


async def show(request: PortalRequest) -> web.Response:
    """Show a user's settings."""
    return await _render(request)


async def set_access(request: PortalRequest) -> web.Response:
    """Switch a user between read-only and read/write access, from the next request on."""
    read_only = is_checked(request.form, "read_only")
    user = await request.organization.users.update(
        request.path_parameters["email"], read_only=read_only
    )
    access = "read-only" if read_only else "read/write"
    request.add_notice(f"{user.email} now has {access} access.")
    return request.redirect(user_path(user.email))


async def change_passphrase(request: PortalRequest) -> web.Response:
    """Change a user's passphrase, from the next request on."""
    errors = FormErrors()
    with errors.at("passphrase"):
        passphrase = request.form.get("passphrase", "")
        check_passphrase(passphrase)
    if errors:
        return await _render(request, errors)
    user = await request.organization.users.update(
        request.path_parameters["email"], passphrase=passphrase
    )
    request.add_notice(f"The passphrase of {user.email} was changed.")
    return request.redirect(user_path(user.email))


async def show_revoke(request: PortalRequest) -> web.Response:
    """Show the confirmation page for revoking a user's access."""
    user = await request.organization.users.get(request.path_parameters["email"])
    return request.render("revoke_user.html", user=user)


async def revoke(request: PortalRequest) -> web.Response:
    """Delete a user, so that the next request with the passphrase is rejected with status 401."""
    user = await request.organization.users.get(request.path_parameters["email"])
    await request.organization.users.delete(user.email)
    request.add_notice(f"The user {user.email} was deleted.")
    return request.redirect(USERS)


async def _render(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    user = await request.organization.users.get(request.path_parameters["email"])
    return request.render(
        "user.html",
        errors=errors,
        user=user,
        min_passphrase=MIN_PASSPHRASE,
    )


ROUTES = (
    Route("GET", USERS, show_list),
    Route("GET", CREATE_USER, show_create),
    Route("POST", CREATE_USER, create),
    Route("GET", USER, show),
    Route("POST", USER + "/rights", set_access),
    Route("POST", USER + "/passphrase", change_passphrase),
    Route("GET", USER + "/revoke", show_revoke),
    Route("POST", USER + "/revoke", revoke),
)
