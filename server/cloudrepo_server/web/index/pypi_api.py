"""Reads from PyPI's own APIs: the JSON of a project, and the provenance of a file."""

from collections.abc import Mapping
from typing import Any

import mimeparse
from aiohttp import web

from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, Project
from cloudrepo_server.specs.filenames import same_version
from cloudrepo_server.specs.links import Links
from cloudrepo_server.specs.provenance import PROVENANCE_TYPE, provenance_json
from cloudrepo_server.specs.pypi_json import Releases, releases_of, version_json
from cloudrepo_server.specs.versions import find_version, latest_version
from cloudrepo_server.web.http.responses import error_response, json_response
from cloudrepo_server.web.index.pages import SERIAL_HEADER, cache_control, joined_header
from cloudrepo_server.web.index.read_target import ReadTarget
from cloudrepo_server.web.index.view import RepositoryView

_JSON_SECONDS = 15 * 60
# The last of equally acceptable types is chosen.
_PROVENANCE_TYPES = ["application/json", PROVENANCE_TYPE]


async def project_json_response(
    view: RepositoryView, project: Project, target: ReadTarget, links: Links, *, organization: str
) -> web.Response:
    """Return the JSON of a project, or of one of its versions.

    Raises:
        NotFoundError: the project has no files, or no such version.
    """
    releases = releases_of(project)
    if not releases or project.status == "quarantined":
        raise view.not_found(f"The project {target.project}")
    given, ascending = target.version, [*releases]
    latest = latest_version(project, ascending=ascending) or ""
    version = find_version(ascending, latest if given is None else given)
    if version is None:
        raise view.not_found(f"The version {given} of the project {project.name}")
    serial = None
    if target.serials is not None:
        serial = await view.serial(target.serials, target.local_project)
    document = version_json(
        project,
        releases,
        version,
        await _core_metadata(view, releases, version),
        links=links,
        serial=serial or 0,
        organization=organization,
        all_releases=given is None,
    )
    response = json_response(document)
    # On PyPI, the JSON API has another lifetime than the pages.
    is_default = view.page_seconds == view.dialect.page_seconds
    seconds = _JSON_SECONDS if is_default and view.page_seconds else view.page_seconds
    response.headers["Cache-Control"] = cache_control(seconds)
    response.headers["Vary"] = "Authorization"
    if serial is not None:
        response.headers[SERIAL_HEADER] = str(serial)
    return response


def provenance_response(
    request: web.Request, project: Project, target: ReadTarget, *, max_age: int
) -> web.Response:
    """Return the provenance of a file.

    Raises:
        NotFoundError: the project has no such file, or the file has no provenance.
    """
    file = project.files.get(target.filename)
    if file is None or not same_version(file.version or "", target.version or ""):
        raise NotFoundError(
            f"There is no file {target.filename} in the release {target.project} {target.version}."
        )
    try:
        content_type = mimeparse.best_match(
            _PROVENANCE_TYPES, joined_header(request, "Accept") or "*/*"
        )
    except ValueError:
        # A malformed Accept header states no preference.
        content_type = PROVENANCE_TYPE
    if not content_type:
        return error_response(
            406,
            f"Request not acceptable: use {PROVENANCE_TYPE}.",
            headers={"Vary": "Accept"},
        )
    if file.attestations is None:
        raise NotFoundError(f"No provenance available for {file.filename}")
    headers = {"Cache-Control": cache_control(max_age), "Vary": "Accept, Authorization"}
    content = provenance_json(file.attestations, file.attestation_publisher)
    return web.Response(body=content, content_type=content_type, headers=headers)


async def _core_metadata(
    view: RepositoryView, releases: Releases, version: str
) -> Mapping[str, Any]:
    # PyPI describes a release by the file that was uploaded first.
    for file in sorted(releases[version], key=lambda file: file.upload_time):
        if isinstance(file, File) and file.metadata_blob is not None:
            return await view.core_metadata(file)
    return {}
