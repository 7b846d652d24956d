"""The impersonations of a repository: list, create and remove."""

from collections.abc import Callable, Sequence

from aiohttp import web

from cloudrepo_server.clients.proxy import ca_bundle_variables, proxy_variables
from cloudrepo_server.clients.public_indexes import PUBLIC_INDEXES, PublicIndexError, public_index
from cloudrepo_server.errors import InvalidError, NotFoundError
from cloudrepo_server.limits import MAX_IMPERSONATED_URLS
from cloudrepo_server.pools import IMPORTS
from cloudrepo_server.testkit.impersonated_urls import IndexUrls, check_host, parse_url_prefix
from cloudrepo_server.web.http.urls import host_of
from cloudrepo_server.web.impersonation.certificates import CertificateAuthority
from cloudrepo_server.web.impersonation.creation import create_impersonation
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.forms import is_checked, lines_of
from cloudrepo_server.web.portal.paging import paginate
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_IMPERSONATIONS = REPOSITORY + "/impersonations"
_CA_FILE = "cloudrepo-ca.pem"
_PROXY = "PROXY-URL"


async def show_list(request: PortalRequest) -> web.Response:
    """Show the impersonations, the newest first, and the form for a new one."""
    return await _render(request)


async def create(request: PortalRequest) -> web.Response:
    """Create an impersonation. Only the next page has the URL of its proxy."""
    repository = await request.repository()
    # An invalid Host header is rejected before anything is created.
    host = host_of(request.http)
    urls, allow = lines_of(request.form, "urls"), lines_of(request.form, "allow")
    names = [name for name in PUBLIC_INDEXES if is_checked(request.form, name)]
    errors = FormErrors()
    indexes = []
    for name in names:
        with errors.at(name):
            indexes.append(await _index_urls(name))
    with errors.at("urls"):
        _check_each(urls, parse_url_prefix)
    with errors.at("allow"):
        _check_each(allow, check_host)
    if not errors:
        with errors.at("urls"):
            created = await create_impersonation(
                request.organization,
                request.proxy,
                repository,
                urls=urls,
                allow=allow,
                indexes=indexes,
            )
            proxy_url = created.proxy_url(request.proxy, host)
    if errors:
        return await _render(request, errors)
    request.add_notice(
        "The impersonation was created. Programs reach it through this proxy. "
        "Copy the URL of the proxy now: it is not shown again.",
        secret=proxy_url,
    )
    return request.redirect(repository_path(repository.name, "impersonations"))


async def download_certificate(request: PortalRequest) -> web.Response:
    """Return the CA certificate that programs must trust to reach impersonated https URLs."""
    await request.repository()
    if not CertificateAuthority.is_installed():
        raise NotFoundError("The server has no CA certificate: install the extra tls.")
    return web.Response(
        text=(await request.proxy.authority()).pem,
        content_type="application/x-pem-file",
        headers={"Content-Disposition": f'attachment; filename="{_CA_FILE}"'},
    )


async def remove(request: PortalRequest) -> web.Response:
    """Remove an impersonation, and close its connections."""
    repository = await request.repository()
    request.organization.testkit.impersonations.delete(
        repository.document.id, request.path_parameters["impersonation"]
    )
    request.add_notice("The impersonation was removed, and its connections were closed.")
    return request.redirect(repository_path(repository.name, "impersonations"))


async def _render(request: PortalRequest, errors: FormErrors | None = None) -> web.Response:
    repository = await request.repository()
    impersonations = request.organization.testkit.impersonations.of(repository.document.id)
    has_tls = CertificateAuthority.is_installed()
    variables = proxy_variables(_PROXY, direct=())
    if has_tls:
        variables |= ca_bundle_variables(_CA_FILE)
    return request.render(
        "impersonations.html",
        errors=errors,
        repository=repository,
        pagination=paginate(impersonations[::-1], request.query),
        index_names=PUBLIC_INDEXES,
        has_tls=has_tls,
        variables=variables,
        proxy_placeholder=_PROXY,
        ca_file=_CA_FILE,
        current_tab="settings",
    )


async def _index_urls(name: str) -> IndexUrls:
    try:
        # The URLs are read from the installed tools. In a thread that blocks no other request.
        index = await IMPORTS.run(public_index, name)
    except PublicIndexError as error:
        raise InvalidError(f"{name} cannot be impersonated by name: {error}.") from error
    return IndexUrls(index.upload, index.web, index.files)


def _check_each(lines: Sequence[str], check: Callable[[str], object]) -> None:
    """Check each line of a field, and report all that are not valid.

    Raises:
        InvalidError: there are too many lines, or some are not valid.
    """
    if len(lines) > MAX_IMPERSONATED_URLS:
        raise InvalidError(f"Enter at most {MAX_IMPERSONATED_URLS} lines.")
    messages = []
    for line in lines:
        try:
            check(line)
        except InvalidError as error:
            messages.append(str(error))
    if messages:
        raise InvalidError(" ".join(messages))


ROUTES = (
    Route("GET", _IMPERSONATIONS, show_list),
    Route("POST", _IMPERSONATIONS, create),
    Route("GET", f"{_IMPERSONATIONS}/{_CA_FILE}", download_certificate),
    Route("POST", _IMPERSONATIONS + "/{impersonation}/remove", remove),
)
