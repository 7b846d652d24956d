"""The pages of the simple API, in HTML and JSON.

https://packaging.python.org/specifications/simple-repository-api/
"""

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

import msgspec

from cloudrepo_server.models import ListedFile, Project
from cloudrepo_server.specs.dialect import (
    CORE_METADATA,
    PROVENANCE,
    REQUIRES_PYTHON,
    STATUS,
    YANKED,
    Dialect,
)
from cloudrepo_server.specs.provenance import PROVENANCE_SUFFIX
from cloudrepo_server.specs.versions import sort_versions

HTML = "text/html"
HTML_V1 = "application/vnd.pypi.simple.v1+html"
JSON_V1 = "application/vnd.pypi.simple.v1+json"

API_VERSION = "1.4"
_FIRST_VERSION = "1.0"


def root_html(names: Iterable[str], *, base: str) -> bytes:
    """Return the HTML list of projects; their URLs are below the path `base`."""
    links = "".join(
        f'<a href="{escape(_project_path(base, name))}/">{escape(name)}</a><br>\n' for name in names
    )
    return _html_document("Simple index", links).encode()


def root_json(names: Iterable[str], *, dialect: Dialect) -> bytes:
    """Return the JSON list of projects."""
    return msgspec.json.encode(
        {
            "meta": {"api-version": dialect.json_version},
            "projects": [{"name": name} for name in names],
        }
    )


def project_html(
    project: Project, *, base: str, dialect: Dialect, origin: str | None = None
) -> bytes:
    """Return the HTML page of a project.

    Args:
        project: the project.
        base: the path below which its files are.
        dialect: the registry to imitate.
        origin: the scheme and host of provenance URLs; None leaves them out.
    """
    folder = _project_folder(base, project.name)
    links = "".join(
        _link(file, folder, dialect, origin) for file in _listed_files(project, dialect)
    )
    head = ""
    if STATUS in dialect.attributes and project.status != "active":
        head = f'<meta name="pypi:project-status" content="{escape(project.status)}">\n'
        if project.status_reason:
            head += (
                '<meta name="pypi:project-status-reason" '
                f'content="{escape(project.status_reason)}">\n'
            )
    return _html_document(f"Links for {escape(project.name)}", links, head=head).encode()


def project_json(
    project: Project, *, base: str, dialect: Dialect, origin: str | None = None
) -> bytes:
    """Return the JSON page of a project; the arguments are those of `project_html`."""
    folder = _project_folder(base, project.name)
    files = _listed_files(project, dialect)
    page: dict[str, object] = {
        "meta": {"api-version": dialect.json_version},
        "name": project.name,
        "files": [_json_file(file, folder, dialect, origin) for file in files],
    }
    if dialect.json_version != _FIRST_VERSION:
        page["versions"] = sort_versions({file.version for file in files if file.version})
    if STATUS in dialect.attributes and project.status != "active":
        status = {"status": project.status}
        if project.status_reason:
            status["reason"] = project.status_reason
        page["project-status"] = status
    return msgspec.json.encode(page)


def file_path(base: str, project: str, filename: str) -> str:
    """Return the percent-encoded path of a file's URL."""
    return _project_folder(base, project) + quote(filename)


def _listed_files(project: Project, dialect: Dialect) -> list[ListedFile]:
    # A quarantined project lists no files (PEP 792).
    if STATUS in dialect.attributes and project.status == "quarantined":
        return []
    return [project.files[filename] for filename in sorted(project.files)]


def _project_path(base: str, name: str) -> str:
    # `base/simple` is the root of the index too, so a project named "simple" needs another path.
    return f"{base}/simple/simple" if name == "simple" else f"{base}/{name}"


def _project_folder(base: str, project: str) -> str:
    return _project_path(base, project) + "/"


def _html_document(title: str, body: str, *, head: str = "") -> str:
    # PEP 833 froze the HTML format at version 1.4.
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n{head}'
        f"<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
    )


def _link(file: ListedFile, folder: str, dialect: Dialect, origin: str | None) -> str:
    href = folder + quote(file.filename)
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
    if PROVENANCE in shown and origin is not None and file.attestations is not None:
        attributes += f' data-provenance="{escape(origin + href + PROVENANCE_SUFFIX)}"'
    if dialect.shows_hashes and file.sha256:
        href += f"#sha256={file.sha256}"
    return f'<a href="{escape(href)}"{attributes}>{escape(file.filename)}</a><br>\n'


def _json_file(
    file: ListedFile, folder: str, dialect: Dialect, origin: str | None
) -> dict[str, object]:
    shown = dialect.attributes
    entry: dict[str, object] = {
        "filename": file.filename,
        "url": folder + quote(file.filename),
        "hashes": {"sha256": file.sha256} if dialect.shows_hashes and file.sha256 else {},
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
        digests = False if file.metadata_sha256 is None else {"sha256": file.metadata_sha256}
        entry["core-metadata"] = digests
    if PROVENANCE in shown and origin is not None and file.attestations is not None:
        entry["provenance"] = origin + folder + quote(file.filename) + PROVENANCE_SUFFIX
    return entry
