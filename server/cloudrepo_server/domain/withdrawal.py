"""Yanking and deleting files: the changes of a project's document."""

from collections.abc import Callable, Mapping

import msgspec

from cloudrepo_server.models import File, ProjectDocument

Selection = Callable[[File], bool]
"""Returns whether a file is to be yanked or deleted."""


def files_of_version(version: str) -> Selection:
    """Return the selection of the files of a release."""
    return lambda file: file.version == version


def all_files(_: File) -> bool:
    """Select every file."""
    return True


def yank_files(
    project: ProjectDocument, selection: Selection, reason: str | None
) -> ProjectDocument | None:
    """Return a project whose selected files are yanked, or None if no file is selected.

    If the reason is None, yanks are undone. The reason may be empty.
    """
    changed = {
        file.filename: msgspec.structs.replace(file, yanked=reason)
        for file in project.files.values()
        if selection(file)
    }
    if not changed:
        return None
    return msgspec.structs.replace(project, files={**project.files, **changed})


def delete_files(
    project: ProjectDocument, selection: Selection, *, keeps_names: bool
) -> tuple[ProjectDocument | None, Mapping[str, File]]:
    """Return a project without the selected files, and these files.

    The project is None if nothing of it must be stored.

    Args:
        project: the project.
        selection: selects the files.
        keeps_names: whether the names of deleted files cannot be used again.
    """
    deleted = {name: file for name, file in project.files.items() if selection(file)}
    if keeps_names:
        project = msgspec.structs.replace(project, deleted=(*project.deleted, *deleted))
    left = {name: file for name, file in project.files.items() if name not in deleted}
    return project.with_files(left), deleted
