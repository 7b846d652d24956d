"""Verifies each uploaded file: installs it, and compares the metadata that the index shows."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from cloudrepo_server.cli.output import one_line
from cloudrepo_server.cli.rehearsal import requests
from cloudrepo_server.cli.rehearsal.index import RehearsedIndex
from cloudrepo_server.cli.rehearsal.installation import INTERRUPTED, Installer
from cloudrepo_server.cli.rehearsal.interruption import Interruption
from cloudrepo_server.cli.rehearsal.report import Difference, Installation, UploadedFile
from cloudrepo_server.cli.rehearsal.requests import Form
from cloudrepo_server.cli.rehearsal.shown_metadata import MetadataReader
from cloudrepo_server.cli.terminal import progress
from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.provenance import attestation_types
from cloudrepo_server.testkit.journal import Entry

Journal = Callable[[], Sequence[Entry]]
"""Returns the requests that the rehearsed index received so far."""


async def verify_files(
    index: RehearsedIndex,
    journal: Journal,
    folder: Path,
    interruption: Interruption,
    *,
    with_dependencies: bool,
) -> list[UploadedFile]:
    """Install each uploaded file, compare its metadata, and return a report on it.

    Args:
        index: the rehearsed index.
        journal: returns the requests that it received so far.
        folder: an empty folder.
        interruption: skips the remaining files.
        with_dependencies: whether the index has the dependencies of the files too.
    """
    entries = journal()
    forms = requests.accepted_forms(entries)
    projects = [
        document
        for name in requests.projects(entries)
        if (document := await index.repository.project(name)) is not None
    ]
    installer = Installer(
        folder,
        index.installing_environment(folder),
        interruption,
        simple_url=index.urls.simple,
        with_dependencies=with_dependencies,
        secrets=index.secrets,
    )
    reports: list[UploadedFile] = []
    total = sum(len(project.files) for project in projects)
    async with MetadataReader(index) as reader:
        for project in projects:
            form_of = _forms_of_releases(project, forms)
            for filename, file in sorted(project.files.items()):
                number = len(reports) + 1
                installation = INTERRUPTED
                differences: tuple[Difference, ...] | None = None
                if interruption.signal is None:
                    with progress(f"[{number}/{total}] Installing {one_line(filename)}"):
                        installation = await _install(installer, journal, project.name, file)
                        differences = await reader.differences(
                            project.name, file, form_of.get(file.version or "")
                        )
                reports.append(_report(project.name, file, installation, differences))
    return reports


def _forms_of_releases(
    project: ProjectDocument, forms: Mapping[str, Form]
) -> dict[str, Form | None]:
    # PyPI makes the page of a release from the form of the file that was uploaded first.
    found: dict[str, Form | None] = {}
    for file in sorted(project.files.values(), key=lambda file: file.upload_time):
        found.setdefault(file.version or "", forms.get(file.filename))
    return found


async def _install(
    installer: Installer, journal: Journal, project: str, file: File
) -> Installation:
    last = max((entry.number for entry in journal()), default=0)
    installation = await installer.install(project, file)
    if installation.status != "failed":
        return installation
    entries = [entry for entry in journal() if entry.number > last]
    if installer.with_dependencies:
        # If the index does not respond, pip only reports that a page is missing.
        failure = requests.first_failure(entries)
        if failure is None:
            return installation
        reason = f"{installation.reason}; the index failed: {failure}"
        return msgspec.structs.replace(installation, reason=reason)
    # Only a build requests other projects, as pip installs without dependencies.
    missing = requests.missing_projects(entries)
    if not missing:
        return installation
    return Installation(
        "skipped",
        f"not installed: its build needs {', '.join(missing)}; name an index with --dependencies",
    )


def _report(
    project: str,
    file: File,
    installation: Installation,
    differences: tuple[Difference, ...] | None,
) -> UploadedFile:
    return UploadedFile(
        filename=file.filename,
        project=project,
        version=file.version or "",
        size=file.size,
        sha256=file.sha256,
        attestations=attestation_types(file.attestations),
        installation=installation,
        differences=differences,
    )
