"""The rules for the size and the digests of a file, and for what exists already."""

from typing import Final

from cloudrepo_server.specs.pypi_rules.rule import GIB, MIB, Rule, source

MAX_FILE_SIZE: Final = 100 * MIB
MAX_PROJECT_SIZE: Final = 10 * GIB
MAX_RELEASE_AGE: Final = 14 * 86_400.0

_SIZE: Final = "Size and digests"
_EXISTING: Final = "What exists already"

FILE_SIZE = Rule(
    name="file-size",
    section=_SIZE,
    requires="The file has at most 100 MiB. PyPI raises this limit for a project on request.",
    message="File too large. Limit for project {project!r} is {limit}.",
    problem="the file has {size}; the limit is {limit}",
    advice="leave out tests and data, or ask PyPI for a higher limit",
    source=source("forklift/legacy.py#L1151"),
)
PROJECT_SIZE = Rule(
    name="project-size",
    section=_SIZE,
    requires=(
        "The files of the project have at most 10 GiB together. "
        "PyPI raises this limit for a project on request."
    ),
    message="Project size too large. Limit for project {project!r} total size is {limit}.",
    problem="the files of the project would have more than {limit}",
    advice="delete files of old releases, or ask PyPI for a higher limit",
    source=source("forklift/legacy.py#L1164"),
)
DIGEST = Rule(
    name="digest",
    section=_SIZE,
    requires="Each digest in the form matches the file.",
    message="The digest supplied does not match a digest calculated from the uploaded file.",
    problem="the {field} of the form does not match the file",
    advice="upload the file again: it was damaged, or changed after the digest was computed",
    source=source("forklift/legacy.py#L1183"),
)
IDENTICAL_FILE = Rule(
    name="identical-file",
    section=_EXISTING,
    requires="A file that exists already with the same name and content is accepted again.",
    message="OK",
    problem="the file exists already",
    advice="none is needed: the upload changes nothing",
    source=source("forklift/legacy.py#L1206"),
    status=200,
)
FILE_EXISTS = Rule(
    name="file-exists",
    section=_EXISTING,
    requires=(
        "No file has this name with different content, and no file has this content under "
        "another name, in any project."
    ),
    message="File already exists ({filename!r}, with blake2_256 hash {blake2_256!r}).",
    problem="{filename} exists already, or a file with this content has another name",
    advice="release a new version",
    source=source("forklift/legacy.py#L1206"),
)
FILENAME_REUSED = Rule(
    name="filename-reused",
    section=_EXISTING,
    requires="No deleted file had this name.",
    message=(
        "This filename was previously used by a file that has since been deleted. "
        "Use a different version."
    ),
    problem="a deleted file had this name",
    advice="release a new version",
    source=source("forklift/legacy.py#L1227"),
)
RELEASE_AGE = Rule(
    name="release-age",
    section=_EXISTING,
    requires="The first file of the release was uploaded at most 14 days ago.",
    message="Uploading new files to releases older than {days} days is not allowed.",
    problem="the release is older than {days} days",
    advice="release a new version",
    source=source("forklift/legacy.py#L1242"),
)
ONE_SDIST = Rule(
    name="one-sdist",
    section=_EXISTING,
    requires="A release has at most one sdist.",
    message="Only one sdist may be uploaded per release.",
    problem="the release has an sdist already",
    advice="release a new version",
    source=source("forklift/legacy.py#L1257"),
)

SIZE_RULES = (FILE_SIZE, PROJECT_SIZE, DIGEST)
EXISTING_RULES = (IDENTICAL_FILE, FILE_EXISTS, FILENAME_REUSED, RELEASE_AGE, ONE_SDIST)
