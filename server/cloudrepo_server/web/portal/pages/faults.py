"""The faults of a repository: list, add and remove."""

from collections.abc import Mapping

from aiohttp import web

from cloudrepo_server.errors import CloudRepoServerError, ConflictError, InvalidError
from cloudrepo_server.testkit.fault_kinds import KINDS
from cloudrepo_server.testkit.faults import parse_fault_fields
from cloudrepo_server.web.http.responses import status_of
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_FAULTS = REPOSITORY + "/faults"
_PARAMETERS: Mapping[str, tuple[str, str]] = {
    "status": ("Status", "status, stored-then-error: the status code"),
    "reason": ("Reason", "status: the reason phrase"),
    "seconds": ("Seconds", "latency: the delay"),
    "bytes_per_second": ("Bytes per second", "drip: the rate"),
    "when": ("When", "reset: before, during or after the body"),
    "keep": ("Keep", "truncate: the bytes before the end"),
}
_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "times": ("Times", "at most this often"),
    "every": ("Every", "every n-th matching request"),
    "method": ("Method", "GET, HEAD or POST"),
    "path": ("Path", "a pattern, such as *.whl"),
    "project": ("Project", "a name"),
    "user": ("User", "an e-mail address"),
}
"""The label and the explanation of each text field of the form."""


async def show_list(request: PortalRequest) -> web.Response:
    """Show the faults, and the form for a new one."""
    return await _render(request)


async def add(request: PortalRequest) -> web.Response:
    """Add a fault, which takes effect from the next request on."""
    repository = await request.repository()
    names = ("kind", *_PARAMETERS, *_CONDITIONS)
    given = {name: request.form.get(name, "").strip() for name in names}
    try:
        specification = parse_fault_fields({name: text for name, text in given.items() if text})
        fault = await request.organization.testkit.install_fault(repository, specification)
    except (InvalidError, ConflictError) as error:
        return await _render(request, error)
    request.add_notice(
        f"Fault #{fault.number} was added. It takes effect from the next request on."
    )
    return request.redirect(repository_path(repository.name, "faults"))


async def remove(request: PortalRequest) -> web.Response:
    """Remove a fault, which has no effect from the next request on."""
    repository = await request.repository()
    faults = request.organization.testkit.faults(repository.document.id)
    fault = faults.delete(request.path_parameters["fault"])
    request.add_notice(f"Fault #{fault.number} was removed.")
    return request.redirect(repository_path(repository.name, "faults"))


async def _render(
    request: PortalRequest, error: CloudRepoServerError | None = None
) -> web.Response:
    repository = await request.repository()
    return request.render(
        "faults.html",
        status=200 if error is None else status_of(error),
        reason=None if error is None else str(error),
        error=None if error is None else str(error),
        repository=repository,
        faults=request.organization.testkit.faults(repository.document.id).all(),
        kinds=KINDS,
        parameters=_PARAMETERS,
        conditions=_CONDITIONS,
        form=request.form,
        current_tab="settings",
    )


ROUTES = (
    Route("GET", _FAULTS, show_list),
    Route("POST", _FAULTS, add),
    Route("POST", _FAULTS + "/{fault}/remove", remove),
)
