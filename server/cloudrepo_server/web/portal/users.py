"""The repository users: list, create, change, revoke."""

from aiohttp import web

from cloudrepo_server.domain.users import MIN_PASSPHRASE
from cloudrepo_server.errors import ConflictError, InvalidError
from cloudrepo_server.web.portal.forms import is_checked
from cloudrepo_server.web.portal.paging import matching, paginate
from cloudrepo_server.web.portal.paths import CREATE_USER, USER, USERS, user_path
from cloudrepo_server.web.portal.visit import Route, Visit


async def show(visit: Visit) -> web.Response:
    """The list."""
    found = {each.email: each for each in await visit.organization.users.all()}
    wanted = visit.query.get("q", "")
    paging = paginate(matching(list(found), wanted), visit.query, keep=["q"])
    return visit.page(
        "users.html",
        rows=[found[email] for email in paging.items],
        paging=paging,
        wanted=wanted,
        users=len(found),
    )


async def show_create(visit: Visit) -> web.Response:
    """The form for a new one."""
    return visit.page(
        "create_user.html", error=None, form=visit.form, min_passphrase=MIN_PASSPHRASE
    )


async def create(visit: Visit) -> web.Response:
    """A new user; where no passphrase was chosen, the generated one is shown this once."""
    try:
        user, generated = await visit.organization.users.create(
            visit.form.get("email", "").strip(),
            passphrase=visit.form.get("passphrase") or None,
            read_only=is_checked(visit.form, "read_only"),
        )
    except (InvalidError, ConflictError) as error:
        return visit.refused("create_user.html", error, min_passphrase=MIN_PASSPHRASE)
    if generated is None:
        visit.notify(f"The user {user.email} was created.")
    else:
        visit.notify(
            f"The user {user.email} was created. This is the passphrase; it is shown only now:",
            secret=generated,
        )
    return visit.go(user_path(user.email))


async def show_user(visit: Visit) -> web.Response:
    """A user's settings."""
    return await _user_page(visit)


async def set_rights(visit: Visit) -> web.Response:
    """Read only or not, from the next request on."""
    read_only = is_checked(visit.form, "read_only")
    user = await visit.organization.users.update(visit.below["email"], read_only=read_only)
    visit.notify(f"{user.email} may now {'read only' if read_only else 'read and publish'}.")
    return visit.go(user_path(user.email))


async def change_passphrase(visit: Visit) -> web.Response:
    """Another passphrase, from the next request on."""
    try:
        user = await visit.organization.users.update(
            visit.below["email"], passphrase=visit.form.get("passphrase", "")
        )
    except InvalidError as error:
        return await _user_page(visit, error)
    visit.notify(f"The passphrase of {user.email} was changed.")
    return visit.go(user_path(user.email))


async def show_revoke(visit: Visit) -> web.Response:
    """The question whether to."""
    user = await visit.organization.users.get(visit.below["email"])
    return visit.page("revoke_user.html", user=user)


async def revoke(visit: Visit) -> web.Response:
    """A user deleted: the next request is answered 401."""
    user = await visit.organization.users.get(visit.below["email"])
    await visit.organization.users.delete(user.email)
    visit.notify(f"The access of {user.email} was revoked.")
    return visit.go(USERS)


async def _user_page(visit: Visit, error: InvalidError | None = None) -> web.Response:
    user = await visit.organization.users.get(visit.below["email"])
    return visit.page(
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
