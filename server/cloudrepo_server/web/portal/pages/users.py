"""The repository users: list, create, change, revoke."""

from aiohttp import web

from cloudrepo_server.domain.users import MIN_PASSPHRASE
from cloudrepo_server.errors import ConflictError, InvalidError
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import matching, paginate
from cloudrepo_server.web.portal.paths import CREATE_USER, USER, USERS, user_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route


async def show(request: PortalRequest) -> web.Response:
    """The list."""
    found = {each.email: each for each in await request.organization.users.all()}
    wanted = request.query.get("q", "")
    paging = paginate(matching(list(found), wanted), request.query, keep=["q"])
    return request.render(
        "users.html",
        rows=[found[email] for email in paging.items],
        paging=paging,
        wanted=wanted,
        users=len(found),
    )


async def show_create(request: PortalRequest) -> web.Response:
    """The form for a new one."""
    return request.render(
        "create_user.html", error=None, form=request.form, min_passphrase=MIN_PASSPHRASE
    )


async def create(request: PortalRequest) -> web.Response:
    """A new user; where no passphrase was chosen, the generated one is shown this once."""
    try:
        user, generated = await request.organization.users.create(
            request.form.get("email", "").strip(),
            passphrase=request.form.get("passphrase") or None,
            read_only=is_checked(request.form, "read_only"),
        )
    except (InvalidError, ConflictError) as error:
        return request.render_form_error("create_user.html", error, min_passphrase=MIN_PASSPHRASE)
    if generated is None:
        request.add_notice(f"The user {user.email} was created.")
    else:
        request.add_notice(
            f"The user {user.email} was created. This is the passphrase; it is shown only now:",
            secret=generated,
        )
    return request.redirect(user_path(user.email))


async def show_user(request: PortalRequest) -> web.Response:
    """A user's settings."""
    return await _user_page(request)


async def set_rights(request: PortalRequest) -> web.Response:
    """Read only or not, from the next request on."""
    read_only = is_checked(request.form, "read_only")
    user = await request.organization.users.update(
        request.path_parameters["email"], read_only=read_only
    )
    request.add_notice(f"{user.email} may now {'read only' if read_only else 'read and publish'}.")
    return request.redirect(user_path(user.email))


async def change_passphrase(request: PortalRequest) -> web.Response:
    """Another passphrase, from the next request on."""
    try:
        user = await request.organization.users.update(
            request.path_parameters["email"], passphrase=request.form.get("passphrase", "")
        )
    except InvalidError as error:
        return await _user_page(request, error)
    request.add_notice(f"The passphrase of {user.email} was changed.")
    return request.redirect(user_path(user.email))


async def show_revoke(request: PortalRequest) -> web.Response:
    """The question whether to."""
    user = await request.organization.users.get(request.path_parameters["email"])
    return request.render("revoke_user.html", user=user)


async def revoke(request: PortalRequest) -> web.Response:
    """A user deleted: the next request is answered 401."""
    user = await request.organization.users.get(request.path_parameters["email"])
    await request.organization.users.delete(user.email)
    request.add_notice(f"The access of {user.email} was revoked.")
    return request.redirect(USERS)


async def _user_page(request: PortalRequest, error: InvalidError | None = None) -> web.Response:
    user = await request.organization.users.get(request.path_parameters["email"])
    return request.render(
        "user.html",
        status=200 if error is None else 400,
        user=user,
        error=None if error is None else str(error),
        min_passphrase=MIN_PASSPHRASE,
    )


ROUTES = (
    Route("GET", USERS, show),
    Route("GET", CREATE_USER, show_create),
    Route("POST", CREATE_USER, create),
    Route("GET", USER, show_user),
    Route("POST", USER + "/rights", set_rights),
    Route("POST", USER + "/passphrase", change_passphrase),
    Route("GET", USER + "/revoke", show_revoke),
    Route("POST", USER + "/revoke", revoke),
)
