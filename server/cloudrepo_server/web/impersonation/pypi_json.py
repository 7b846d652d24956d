"""PyPI's JSON page of a project, which some tools read where a repository stands for that host.

It is PyPI's own API and no standard.
"""

import re
from typing import Any

from aiohttp import web

from cloudrepo_server.domain.repository import Repository
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.simple_api import file_path, sort_versions
from cloudrepo_server.web.http.paths import PRIVATE
from cloudrepo_server.web.http.responses import json_response

_PATH = re.compile(r"/pypi/(?P<project>[^/]+)(/(?P<version>[^/]+))?/json/?")
_TEXTS = (
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
_LISTS = ("classifiers", "requires_dist", "provides_extra")


def read_project_json_path(path: str) -> tuple[str, str | None] | None:
    """The project and version whose JSON page a path is, or None."""
    found = _PATH.fullmatch(path)
    return None if found is None else (found["project"], found["version"])


async def project_json_response(
    repository: Repository, name: str, version: str | None, *, origin: str
) -> web.Response:
    """The page of a project, or of one of its versions, as seen at `origin`.

    Raises:
        NotFoundError: the repository has no such project or version.
    """
    project = await repository.project(name)
    versions = _versions(project)
    if project is None or not versions or (version is not None and version not in versions):
        raise repository.project_not_found(name)
    shown = version or sort_versions(versions)[-1]
    base = f"{origin}{PRIVATE}/{repository.name}"
    releases = {
        each: [_file(file, file_path(base, project.name, file.filename)) for file in files]
        for each, files in versions.items()
    }
    page: dict[str, Any] = {
        "info": await _info(repository, project, shown, versions[shown]),
        "last_serial": 0,
        "urls": releases[shown],
        "vulnerabilities": [],
    }
    if version is None:
        page["releases"] = releases
    return json_response(page)


def _versions(project: ProjectDocument | None) -> dict[str, list[File]]:
    versions: dict[str, list[File]] = {}
    for file in project.files.values() if project is not None else ():
        versions.setdefault(file.version or "", []).append(file)
    return versions


async def _info(
    repository: Repository, project: ProjectDocument, version: str, files: list[File]
) -> dict[str, Any]:
    # Imported where a page of this kind is asked for, which is rare.
    from packaging.metadata import parse_email

    raw: dict[str, Any] = {}
    described = next((file for file in files if file.metadata_blob is not None), None)
    if described is not None:
        content = await repository.metadata(described)
        raw = dict(parse_email(await content.read())[0])
    name = str(raw.get("name") or project.name)
    yanked = [file.yanked for file in files if file.yanked is not None]
    return {
        "name": name,
        "version": version,
        **{key: raw.get(key) for key in _TEXTS},
        **{key: raw.get(key) or None for key in _LISTS},
        "keywords": ",".join(raw.get("keywords") or []),
        "project_urls": raw.get("project_urls") or None,
        "package_url": None,
        "yanked": len(yanked) == len(files),
        "yanked_reason": (yanked[0] or None) if yanked else None,
    }


def _file(file: File, url: str) -> dict[str, Any]:
    wheel = file.filename.endswith(".whl")
    digests = {"sha256": file.sha256}
    if file.blake2_256 is not None:
        digests["blake2b_256"] = file.blake2_256
    return {
        "filename": file.filename,
        "packagetype": "bdist_wheel" if wheel else "sdist",
        "python_version": _python_tag(file.filename) if wheel else "source",
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
