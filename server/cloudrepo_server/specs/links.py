"""The URLs on the pages of a repository, as the client of a request reaches them."""

from urllib.parse import quote

import msgspec

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import File, ListedFile
from cloudrepo_server.specs.file_urls import FileUrls
from cloudrepo_server.specs.filenames import parse_filename
from cloudrepo_server.specs.provenance import PROVENANCE_SUFFIX


class Links(msgspec.Struct, frozen=True):
    """The URLs of the project pages, the files and the provenance of a repository.

    Attributes:
        base: the path of the repository.
        origin: the scheme and host that the client used; if empty, pages link to no provenance.
        web: the path of PyPI's pages if the repository impersonates PyPI, or else None.
        files: the URL of PyPI's host for files if the repository impersonates PyPI, or else None.
        has_integrity_api: whether provenance is in PyPI's integrity API, and not beside the file.
        elsewhere: the URLs of files on another host if pages link to them, or else None.
    """

    base: str
    origin: str = ""
    web: str | None = None
    files: str | None = None
    has_integrity_api: bool = False
    elsewhere: FileUrls | None = None

    def project(self, name: str) -> str:
        """Return the path of a project's page."""
        if self.web is not None:
            return f"{self.web}/simple/{name}/"
        return project_path(self.base, name)

    def file(self, project: str, file: ListedFile) -> str:
        """Return the path or URL of a file."""
        if self.files is not None and isinstance(file, File):
            digest = file.blake2_256
            if digest is not None and _names_project(file.filename, project):
                # As on PyPI: the path consists of the file's digest.
                parts = (digest[:2], digest[2:4], digest[4:], quote(file.filename))
                return f"{self.files}/packages/{'/'.join(parts)}"
        if self.elsewhere is not None:
            return self.elsewhere.link(project, file.filename)
        return file_path(self.base, project, file.filename)

    def file_url(self, project: str, file: ListedFile) -> str:
        """Return the URL of a file."""
        link = self.file(project, file)
        return self.origin + link if link.startswith("/") else link

    def provenance(self, project: str, file: ListedFile) -> str | None:
        """Return the URL of a file's provenance, or None if the file has none to show.

        PEP 740: the URL is absolute, with the scheme https.
        """
        if file.attestations is None or not self.origin.startswith("https:"):
            return None
        if not self.has_integrity_api:
            path = file_path(self.base, project, file.filename) + PROVENANCE_SUFFIX
            return self.origin + path
        root = self.base if self.web is None else self.web
        parts = (project, quote(file.version or "", safe=""), quote(file.filename))
        return f"{self.origin}{root}/integrity/{'/'.join(parts)}/provenance"


def file_path(base: str, project: str, filename: str) -> str:
    """Return the percent-encoded path of a file below the repository's own URL."""
    return project_path(base, project) + quote(filename)


def project_path(base: str, project: str) -> str:
    """Return the path of a project's page below the repository's own URL."""
    # `base/simple` is the root of the index too, so a project named "simple" needs another path.
    return f"{base}/simple/simple/" if project == "simple" else f"{base}/{project}/"


def _names_project(filename: str, project: str) -> bool:
    # A path below `/packages` contains no project, so the file name must name it.
    try:
        return parse_filename(filename, project=project).project == project
    except InvalidError:
        return False
