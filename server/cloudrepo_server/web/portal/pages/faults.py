"""The faults of a repository: list, add and remove."""

from collections.abc import Mapping

from aiohttp import web

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.testkit.fault_form import parse_fault_fields
from cloudrepo_server.testkit.fault_kinds import KINDS, parameters_of_kinds
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_FAULTS = REPOSITORY + "/faults"
_VALUES = {
    "status": "200 to 599, of a redirect 301, 302, 303, 307 or 308; by default 503 of "
    "stored-then-error, 302 of redirect and 200 of html-error-page",
    "reason": "the reason phrase in the status line",
    "headers": "one on each line, such as Retry-After: 5",
    "seconds": "0 to 3600",
    "bytes_per_second": "1 or more",
    "when": "before, during or after the body; by default before",
    "keep": "the number of bytes to send; by default 0",
    "location": "a URL",
    "content_type": "by default text/plain",
    "content": "the core metadata to send",
}
"""The values of each parameter."""
_PARAMETERS = {
    name: (name.replace("_", " ").capitalize(), f"{_VALUES[name]} (for {', '.join(kinds)})", kinds)
    for name, kinds in parameters_of_kinds().items()
}
"""The label, the explanation and the kinds of faults of each parameter."""
_LONG_PARAMETERS = ("headers", "content")
"""The parameters that have several lines."""
_CONDITIONS: Mapping[str, tuple[str, str]] = {
    "times": ("Times", "at most this often; by default without a limit"),
    "every": ("Every", "every n-th matching request; by default every one"),
    "method": ("Method", "GET, HEAD or POST"),
    "path": ("Path", "a pattern, such as *.whl"),
    "project": ("Project", "a name"),
    "user": ("User", "a user name"),
}
"""The label and the explanation of each text field of the form."""


async def show_list(request: PortalRequest) -> web.Response:
    """Show the faults, and the form for a new one."""
    return await _render(request)


async def add(request: PortalRequest) -> web.Response:
    """Add a fault. It takes effect at the next request."""
    repository = await request.repository()
    errors = FormErrors()
    fields = _fields(request.form)
    with errors.at("headers"):
        fields |= _headers(request.form.get("headers", ""))
    with errors.at("kind"):
        specification = parse_fault_fields(fields)
        if not errors:
            fault = await request.organization.testkit.install_fault(repository, specification)
    if errors:
        return await _render(request, errors)
    request.add_notice(
        f"Fault #{fault.number} was added. It takes effect from the next request on."
    )
    return request.redirect(repository_path(repository.name, "faults"))


async def remove(request: PortalRequest) -> web.Response:
    """Remove a fault. It no longer affects new requests."""
    repository = await request.repository()
    faults = request.organization.testkit.faults(repository.document.id)
    fault = faults.delete(request.path_parameters["fault"])
    request.add_notice(f"Fault #{fault.number} was removed.")
    return request.redirect(repository_path(repository.name, "faults"))


async def _render(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    repository = await request.repository()
    return request.render(
        "faults.html",
        errors=errors,
        repository=repository,
        faults=request.organization.testkit.faults(repository.document.id).all(),
        kinds=dict(zip(KINDS, KINDS, strict=True)),
        parameters=_PARAMETERS,
        long_parameters=_LONG_PARAMETERS,
        conditions=_CONDITIONS,
        current_tab="settings",
    )


def _fields(form: Mapping[str, str]) -> dict[str, str | dict[str, str]]:
    """Return the fields of a form that are filled in, without the headers."""
    given = {name: form.get(name, "").strip() for name in ("kind", *_PARAMETERS, *_CONDITIONS)}
    return {
        # A browser sends the lines of a text with CRLF.
        name: text.replace("\r\n", "\n")
        for name, text in given.items()
        if text and name != "headers"
    }


def _headers(text: str) -> dict[str, dict[str, str]]:
    """Return the parameter `headers`, if the field of this name is filled in.

    Raises:
        InvalidError: a line is not a header.
    """
    headers = {}
    for line in text.strip().splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            raise InvalidError(f"Invalid header {line[:64]!r}: write a name, a colon and a value.")
        headers[name.strip()] = value.strip()
    return {"headers": headers} if headers else {}


ROUTES = (
    Route("GET", _FAULTS, show_list),
    Route("POST", _FAULTS, add),
    Route("POST", _FAULTS + "/{fault}/remove", remove),
)
