"""PyPI's JSON API for a project, which some tools read when a repository impersonates PyPI.

The API is PyPI's own, not a standard.
"""

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.errors import NotFoundError
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.simple_api import file_path
from cloudrepo_server.specs.versions import latest_version
from cloudrepo_server.web.http.paths import PRIVATE
from cloudrepo_server.web.http.responses import json_response

_PATH = re.compile(r"/pypi/(?P<project>[^/]+)(/(?P<version>[^/]+))?/json/?")
_WHEEL_HYPHENS = 4
_TEXT_FIELDS = (
    "summary",
    "description",
    "description_content_type",
    "author",
    "author_email",
    "maintainer",
    "maintainer_email",
    "license",
    "license_expression",
    "home_page",
    "download_url",
    "requires_python",
)
_LIST_FIELDS = ("classifiers", "requires_dist", "provides_extra")


def parse_project_json_path(path: str) -> tuple[str, str | None] | None:
    """Return the project and the version that a path of the JSON API names, or None."""
    match = _PATH.fullmatch(path)
    return None if match is None else (match["project"], match["version"])


async def project_json_response(
    repository: Repository, name: str, version: str | None, *, origin: str
) -> web.Response:
    """Return the JSON of a project, or of one of its versions.

    Args:
        repository: the repository that has the project.
        name: the name of the project.
        version: a version; None means the latest version, with the list of all releases.
        origin: the scheme, host and port with which the URLs of files begin.

    Raises:
        NotFoundError: the repository has no such project or version.
    """
    project = await repository.project(name)
    versions = _versions(project)
    if project is None or not versions:
        raise repository.project_not_found(name)
    if version is not None and version not in versions:
        raise NotFoundError(
            f"The project {name} has no version {version} in the repository {repository.name}."
        )
    selected = version or latest_version(project) or ""
    base = f"{origin}{PRIVATE}/{repository.name}"
    releases = {
        number: [_file(file, file_path(base, project.name, file.filename)) for file in files]
        for number, files in versions.items()
    }
    document: dict[str, Any] = {
        "info": await _info(repository, project, selected, versions[selected]),
        "last_serial": 0,
        "urls": releases[selected],
        "vulnerabilities": [],
    }
    if version is None:
        document["releases"] = releases
    return json_response(document)


def _versions(project: ProjectDocument | None) -> dict[str, list[File]]:
    versions: dict[str, list[File]] = {}
    for file in project.files.values() if project is not None else ():
        versions.setdefault(file.version or "", []).append(file)
    return versions


async def _info(
    repository: Repository, project: ProjectDocument, version: str, files: list[File]
) -> dict[str, Any]:
    raw: Mapping[str, Any] = {}
    with_metadata = next((file for file in files if file.metadata_blob is not None), None)
    if with_metadata is not None:
        raw = await repository.core_metadata(with_metadata)
    name = str(raw.get("name") or project.name)
    yanked = [file.yanked for file in files if file.yanked is not None]
    return {
        "name": name,
        "version": version,
        **{key: raw.get(key) for key in _TEXT_FIELDS},
        **{key: raw.get(key) or None for key in _LIST_FIELDS},
        "keywords": ",".join(raw.get("keywords") or []),
        "project_urls": raw.get("project_urls") or None,
        "package_url": None,
        "yanked": len(yanked) == len(files),
        "yanked_reason": (yanked[0] or None) if yanked else None,
    }


def _file(file: File, url: str) -> dict[str, Any]:
    # Some dialects accept a file with any name, such as `x.whl`.
    is_wheel = file.filename.endswith(".whl") and file.filename.count("-") >= _WHEEL_HYPHENS
    digests = {"sha256": file.sha256}
    if file.blake2_256 is not None:
        digests["blake2b_256"] = file.blake2_256
    return {
        "filename": file.filename,
        "packagetype": "bdist_wheel" if is_wheel else "sdist",
        "python_version": _python_tag(file.filename) if is_wheel else "source",
        "digests": digests,
        "size": file.size,
        "upload_time": file.upload_time.partition(".")[0],
        "upload_time_iso_8601": file.upload_time,
        "url": url,
        "requires_python": file.requires_python,
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
        "core-metadata": False
        if file.metadata_sha256 is None
        else {"sha256": file.metadata_sha256},
    }


def _python_tag(filename: str) -> str:
    return filename.removesuffix(".whl").split("-")[-3]
