"""The pages of the simple API, in HTML and JSON.

https://packaging.python.org/specifications/simple-repository-api/
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import islice

import msgspec

from cloudrepo_server.models import ListedFile, Project, SerialsDocument
from cloudrepo_server.specs.dialect import (
    CORE_METADATA,
    PROVENANCE,
    REQUIRES_PYTHON,
    STATUS,
    YANKED,
    Dialect,
)
from cloudrepo_server.specs.links import Links
from cloudrepo_server.specs.versions import sort_versions

HTML = "text/html"
HTML_V1 = "application/vnd.pypi.simple.v1+html"
JSON_V1 = "application/vnd.pypi.simple.v1+json"

_API_VERSION = "1.4"
_FIRST_VERSION = "1.0"


def root_html(names: Iterable[str], *, links: Links) -> bytes:
    """Return the HTML list of projects."""
    anchors = "".join(
        f'<a href="{escape(links.project(name))}">{escape(name)}</a><br>\n' for name in names
    )
    return _html_document("Simple index", anchors).encode()


def root_json(
    names: Iterable[str], *, dialect: Dialect, serials: SerialsDocument | None = None
) -> bytes:
    """Return the JSON list of projects, with their serials if the dialect has them."""
    if serials is None:
        meta: dict[str, object] = {"api-version": dialect.json_version}
        projects: list[dict[str, object]] = [{"name": name} for name in names]
    else:
        meta = {"api-version": dialect.json_version, "_last-serial": serials.last}
        # A project of an upstream has no serial here.
        known = serials.projects
        projects = [
            {"name": name, "_last-serial": known[name].number} if name in known else {"name": name}
            for name in names
        ]
    return msgspec.json.encode({"meta": meta, "projects": projects})


def project_html(
    project: Project, *, links: Links, dialect: Dialect, digests: Sequence[str] | None = None
) -> bytes:
    """Return the HTML page of a project.

    Args:
        project: the project.
        links: the URLs of its files.
        dialect: the registry to imitate.
        digests: the algorithms of the digests to list; None for the dialect's default.
    """
    anchors = "".join(
        _link(file, project.name, dialect, links, _digests(file, dialect, digests))
        for file in _listed_files(project, dialect)
    )
    head = ""
    if STATUS in dialect.attributes and project.status != "active":
        head = f'<meta name="pypi:project-status" content="{escape(project.status)}">\n'
        if project.status_reason:
            head += (
                '<meta name="pypi:project-status-reason" '
                f'content="{escape(project.status_reason)}">\n'
            )
    return _html_document(f"Links for {escape(project.name)}", anchors, head=head).encode()


def project_json(
    project: Project,
    *,
    links: Links,
    dialect: Dialect,
    digests: Sequence[str] | None = None,
    serial: int | None = None,
) -> bytes:
    """Return the JSON page of a project.

    Args:
        project: the project.
        links: the URLs of its files.
        dialect: the registry to imitate.
        digests: the algorithms of the digests to list; None for the dialect's default.
        serial: the serial of the project's last change, if the dialect has serials.
    """
    files = _listed_files(project, dialect)
    meta: dict[str, object] = {"api-version": dialect.json_version}
    if serial is not None:
        meta["_last-serial"] = serial
    page: dict[str, object] = {
        "meta": meta,
        "name": project.name,
        "files": [
            _json_file(
                file, project.name, dialect, links, _digests(file, dialect, digests, is_json=True)
            )
            for file in files
        ],
    }
    if dialect.json_version != _FIRST_VERSION:
        page["versions"] = sort_versions({file.version for file in files if file.version})
    if STATUS in dialect.attributes and project.status != "active":
        status = {"status": project.status}
        if project.status_reason:
            status["reason"] = project.status_reason
        page["project-status"] = status
    return msgspec.json.encode(page)


def _listed_files(project: Project, dialect: Dialect) -> list[ListedFile]:
    # A quarantined project lists no files (PEP 792).
    if STATUS in dialect.attributes and project.status == "quarantined":
        return []
    return [project.files[filename] for filename in sorted(project.files)]


def _html_document(title: str, body: str, *, head: str = "") -> str:
    # PEP 833 froze the HTML format at version 1.4.
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{_API_VERSION}">\n{head}'
        f"<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )


def _digests(
    file: ListedFile, dialect: Dialect, algorithms: Sequence[str] | None, *, is_json: bool = False
) -> dict[str, str]:
    if algorithms is not None:
        return _known_digests(file, algorithms)
    if not dialect.shows_hashes:
        return {}
    more = dialect.more_digests if is_json else ()
    return {**file.digests, **_known_digests(file, more)} if more else file.digests


def _known_digests(file: ListedFile, algorithms: Sequence[str]) -> dict[str, str]:
    known = file.known_digests
    return {name: known[name] for name in algorithms if name in known}


def _link(
    file: ListedFile, project: str, dialect: Dialect, links: Links, digests: Mapping[str, str]
) -> str:
    href = links.file(project, file)
    shown = dialect.attributes
    attributes = ""
    if REQUIRES_PYTHON in shown and file.requires_python is not None:
        attributes += f' data-requires-python="{escape(file.requires_python)}"'
    if YANKED in shown and file.yanked is not None:
        attributes += f' data-yanked="{escape(file.yanked)}"'
    if CORE_METADATA in shown and file.metadata_sha256 is not None:
        digest = escape(f"sha256={file.metadata_sha256}")
        # PEP 714: clients older than 2023 read the second name.
        attributes += f' data-core-metadata="{digest}" data-dist-info-metadata="{digest}"'
    provenance = links.provenance(project, file) if PROVENANCE in shown else None
    if provenance is not None:
        attributes += f' data-provenance="{escape(provenance)}"'
    # PEP 503 allows one digest in a URL.
    for algorithm, digest in islice(digests.items(), 1):
        href += f"#{algorithm}={digest}"
    return f'<a href="{escape(href)}"{attributes}>{escape(file.filename)}</a><br>\n'


def _json_file(
    file: ListedFile, project: str, dialect: Dialect, links: Links, digests: Mapping[str, str]
) -> dict[str, object]:
    shown = dialect.attributes
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": links.file(project, file),
        "hashes": digests,
    }
    if dialect.json_version != _FIRST_VERSION:
        entry |= {"size": file.size, "upload-time": file.upload_time}
    if YANKED in shown:
        entry["yanked"] = (file.yanked or True) if file.yanked is not None else False
    if REQUIRES_PYTHON in shown and file.requires_python is not None:
        entry["requires-python"] = file.requires_python
    if CORE_METADATA in shown:
        # Only under the new name (PEP 714). pip 22.3 to 23.1 fails if JSON has the old name:
        # https://github.com/pypa/pip/issues/12042
        sha256 = file.metadata_sha256
        entry["core-metadata"] = False if sha256 is None else {"sha256": sha256}
    provenance = links.provenance(project, file) if PROVENANCE in shown else None
    if provenance is not None:
        entry["provenance"] = provenance
    return entry
