"""The upstreams of a repository: their states, and the form that changes them."""

from collections.abc import Mapping

import msgspec
from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.domain.upstream import STRATEGIES, check_origins, check_strategy
from cloudrepo_server.domain.upstream_states import UpstreamState
from cloudrepo_server.domain.upstream_urls import hide_password, is_url
from cloudrepo_server.web.portal.form_errors import FormErrors
from cloudrepo_server.web.portal.forms import lines_of
from cloudrepo_server.web.portal.paths import REPOSITORY, repository_path
from cloudrepo_server.web.portal.portal_request import PortalRequest, Route

_UPSTREAMS = REPOSITORY + "/upstreams"
_STRATEGIES = {
    "first-match": "The first source that has files of a project provides all of its files. "
    "The repository itself is the first source.",
    "best-version": "The files of all sources are offered together.",
}


class _Row(msgspec.Struct, frozen=True):
    shown: str
    """The upstream without its password."""
    is_url: bool
    exists: bool
    state: UpstreamState | None


async def show(request: PortalRequest) -> web.Response:
    """Show the upstreams with their states, and the form with the current settings."""
    repository = await request.repository()
    document = repository.document
    form = {
        "upstream": "\n".join(map(hide_password, document.upstream)),
        "strategy": document.upstream_strategy,
        "origins": "\n".join(document.upstream_file_origins),
    }
    return await _render(request, repository, form)


async def save(request: PortalRequest) -> web.Response:
    """Save the upstreams. They take effect at the next request."""
    repository = await request.repository()
    # The form shows no passwords, so an unchanged line means the upstream with its password.
    known = {hide_password(each): each for each in repository.document.upstream}
    upstream = tuple(known.get(line, line) for line in lines_of(request.form, "upstream"))
    strategy = request.form.get("strategy", STRATEGIES[0])
    origins = tuple(lines_of(request.form, "origins"))
    errors = FormErrors()
    with errors.at("upstream"):
        await request.organization.upstreams.check_upstreams(repository.document, upstream)
    with errors.at("strategy"):
        check_strategy(strategy)
    with errors.at("origins"):
        check_origins(origins)
    if not errors:
        with errors.at(""):
            await request.organization.update_repository(
                repository.name,
                upstream=upstream,
                upstream_strategy=strategy,
                upstream_file_origins=origins,
            )
    if errors:
        return await _render(request, repository, request.form, errors)
    request.add_notice("The upstreams were saved. The next request reads from them.")
    return request.redirect(repository_path(repository.name, "upstreams"))


async def _render(
    request: PortalRequest,
    repository: Repository,
    form: Mapping[str, str],
    errors: FormErrors | None = None,
) -> web.Response:
    return request.render(
        "upstreams.html",
        errors=errors,
        repository=repository,
        rows=[await _row(request, repository, each) for each in repository.document.upstream],
        strategies=_STRATEGIES,
        form=form,
        current_tab="settings",
    )


async def _row(request: PortalRequest, repository: Repository, upstream: str) -> _Row:
    organization = request.organization
    of_url = is_url(upstream)
    return _Row(
        hide_password(upstream),
        of_url,
        of_url or await organization.find(upstream) is not None,
        organization.upstreams.states.find(repository.document.id, upstream),
    )


ROUTES = (
    Route("GET", _UPSTREAMS, show),
    Route("POST", _UPSTREAMS, save),
)
