"""A project's releases: their order, and the files of each."""

from collections.abc import Iterable
from itertools import groupby

from cloudrepo_server.models import File, ProjectDocument
from cloudrepo_server.specs.versions import sort_versions


def files_newest_first(project: ProjectDocument) -> list[File]:
    """Return all files, those of the newest release first and those without a version last."""
    files = project.files.values()
    versions = sort_versions({file.version for file in files if file.version})
    order = {version: at for at, version in enumerate(versions)}
    by_name = sorted(files, key=lambda file: file.filename)
    return sorted(
        by_name, key=lambda file: -1 if file.version is None else order[file.version], reverse=True
    )


def group_by_release(files: Iterable[File]) -> list[tuple[str | None, list[File]]]:
    """Return the releases of sorted files, each with its files."""
    return [(version, list(group)) for version, group in groupby(files, lambda each: each.version)]


def distribution_type(filename: str) -> str:
    """Return the type of a file as the portal shows it: wheel, sdist or file."""
    if filename.endswith(".whl"):
        return "wheel"
    return "sdist" if filename.endswith((".tar.gz", ".zip")) else "file"
