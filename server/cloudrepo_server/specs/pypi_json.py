"""PyPI's JSON API: a project, or one of its versions, with the metadata and all files.

The API is PyPI's own, not a standard. Its documentation and warehouse's source code describe it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cloudrepo_server.models import File, ListedFile, Project, RemoteFile
from cloudrepo_server.specs.links import Links
from cloudrepo_server.specs.versions import sort_versions

_NO_DOWNLOADS = {"last_day": -1, "last_week": -1, "last_month": -1}
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
_LIST_FIELDS = ("license_files", "requires_dist", "provides_extra", "dynamic")

Releases = Mapping[str, Sequence[File | RemoteFile]]
"""The files of each version, in ascending order of the versions."""


def releases_of(project: Project) -> Releases:
    """Return the files of each version of a project, sorted by name."""
    versions: dict[str, list[File | RemoteFile]] = {}
    for filename in sorted(project.files):
        file = project.files[filename]
        versions.setdefault(file.version or "", []).append(file)
    return {version: versions[version] for version in sort_versions(versions)}


def version_json(
    project: Project,
    releases: Releases,
    version: str,
    metadata: Mapping[str, Any],
    *,
    links: Links,
    serial: int,
    organization: str,
    all_releases: bool,
) -> dict[str, Any]:
    """Return the JSON of a version of a project.

    Args:
        project: the project.
        releases: the files of each version.
        version: the version that is described.
        metadata: the core metadata of the version.
        links: the URLs of files.
        serial: the serial of the project's last change.
        organization: the owner of the project.
        all_releases: whether the JSON contains the files of all versions.
    """
    document = {
        "info": _info(project, version, metadata, releases[version], links),
        "last_serial": serial,
        "ownership": {"organization": organization, "roles": []},
        "urls": [_file(project.name, file, links) for file in releases[version]],
        "vulnerabilities": [],
    }
    if all_releases:
        document["releases"] = {
            number: [_file(project.name, file, links) for file in files]
            for number, files in releases.items()
        }
    return document


def _info(
    project: Project,
    version: str,
    metadata: Mapping[str, Any],
    files: Sequence[ListedFile],
    links: Links,
) -> dict[str, Any]:
    if links.web is None:
        project_url = release_url = links.origin + links.project(project.name)
    else:
        project_url = f"{links.origin}{links.web}/project/{project.name}/"
        release_url = f"{project_url}{version}/"
    yanked = [file.yanked for file in files if file.yanked is not None]
    return {
        "name": str(metadata.get("name") or project.name),
        "version": version,
        **{key: metadata.get(key) for key in _TEXT_FIELDS},
        **{key: metadata.get(key) or None for key in _LIST_FIELDS},
        "classifiers": metadata.get("classifiers") or [],
        "keywords": ", ".join(metadata.get("keywords") or []) or None,
        # PyPI shows only the first platform.
        "platform": next(iter(metadata.get("platforms") or []), None),
        "project_urls": _project_urls(metadata) or None,
        "package_url": project_url,
        "project_url": project_url,
        "release_url": release_url,
        "docs_url": None,
        "bugtrack_url": None,
        "downloads": _NO_DOWNLOADS,
        "yanked": len(yanked) == len(files),
        "yanked_reason": (yanked[0] or None) if yanked else None,
    }


def _project_urls(metadata: Mapping[str, Any]) -> dict[str, str]:
    urls = {"Homepage": metadata.get("home_page"), "Download": metadata.get("download_url")}
    return {
        **{label: url for label, url in urls.items() if url},
        **(metadata.get("project_urls") or {}),
    }


def _file(project: str, file: File | RemoteFile, links: Links) -> dict[str, Any]:
    # Some dialects accept a file with any name, such as `x.whl`.
    is_wheel = file.filename.endswith(".whl") and file.filename.count("-") >= _WHEEL_HYPHENS
    digests = {"sha256": file.sha256}
    if isinstance(file, File):
        stored = {"blake2b_256": file.blake2_256, "md5": file.md5}
        digests |= {name: digest for name, digest in stored.items() if digest is not None}
    return {
        "filename": file.filename,
        "packagetype": "bdist_wheel" if is_wheel else "sdist",
        "python_version": _python_tag(file.filename) if is_wheel else "source",
        "has_sig": False,
        "comment_text": None,
        "md5_digest": digests.get("md5"),
        "digests": digests,
        "core-metadata": False
        if file.metadata_sha256 is None
        else {"sha256": file.metadata_sha256},
        "size": file.size,
        "downloads": -1,
        "upload_time": file.upload_time.partition(".")[0].removesuffix("Z"),
        "upload_time_iso_8601": file.upload_time,
        "url": links.file_url(project, file),
        "requires_python": file.requires_python,
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
    }


def _python_tag(filename: str) -> str:
    return filename.removesuffix(".whl").split("-")[-3]
