"""The rules of the archive: what each requires, and how to correct a file that breaks it."""

from typing import Final

from cloudrepo_server.specs.pypi_rules.rule import Rule, source

_SECTION: Final = "The archive"
_INVALID: Final = "Invalid distribution file. "
_REBUILD: Final = "rebuild the file with a current build backend"


def _invalid(
    name: str, requires: str, message: str, problem: str, *, advice: str = _REBUILD, line: int
) -> Rule:
    return Rule(
        name=name,
        section=_SECTION,
        requires=requires,
        message=_INVALID + message,
        problem=problem,
        advice=advice,
        source=source(f"forklift/legacy.py#L{line}"),
    )


ZIP_AND_TAR = _invalid(
    "zip-and-tar",
    "The file is not a zip and a tar file at the same time.",
    "File is both a zip and a tar file",
    "the file is both a zip and a tar file",
    line=318,
)
NOT_A_ZIP = _invalid(
    "not-a-zip",
    "A wheel, or a file whose name ends in `.zip`, is a zip file.",
    "File is not a zipfile",
    "the file is not a zip file",
    line=322,
)
NOT_A_TAR = _invalid(
    "not-a-tar",
    "A file whose name ends in `.tar.gz` is a tar file.",
    "File is not a tarfile",
    "the file is not a tar file",
    line=417,
)
UNREADABLE = _invalid(
    "unreadable",
    "The archive can be read to its end.",
    "None",
    "the archive cannot be read: {error}",
    advice="upload the file again, or rebuild it: it is damaged",
    line=413,
)
COMPRESSION_RATIO = _invalid(
    "compression-ratio",
    "A zip file unpacks to at most 64 MiB, or to at most 50 times its size.",
    "File exceeds compression ratio of 50",
    "the file unpacks to more than 50 times its size",
    advice="leave out files that compress extremely well",
    line=332,
)
COMPRESSION_TYPE = _invalid(
    "compression-type",
    "The members of a zip file are stored or deflated.",
    "File does not use a supported compression type",
    "{member!r} is neither stored nor deflated",
    line=351,
)
TOP_LEVEL_FOLDER = _invalid(
    "top-level-folder",
    "All files of an sdist are in one folder.",
    "Incorrect number of top-level directories in sdist",
    "the files of the sdist are not in one folder",
    line=364,
)
PKG_INFO = _invalid(
    "pkg-info",
    "An sdist has `PKG-INFO` in the folder that contains all its files.",
    "PKG-INFO not found at {path}",
    "the sdist has no {path}",
    line=371,
)
SPARSE_MEMBERS = _invalid(
    "sparse-members",
    "An sdist has no sparse members.",
    "tar archive not accepted: Sparse members are not allowed.",
    "{member!r} is a sparse file",
    advice="write the sdist without --sparse",
    line=435,
)
WHEEL_PARTS = _invalid(
    "wheel-parts",
    "The name of a wheel has at least three parts, separated by hyphens.",
    "Unable to parse name and version from wheel filename",
    "the file name has no name and version",
    advice="rebuild the wheel, and keep the name that the build gives it",
    line=381,
)
WHEEL_FILE = _invalid(
    "wheel-file",
    "A wheel contains `NAME-VERSION.dist-info/WHEEL`, with name and version as in its file name.",
    "WHEEL not found at {path}",
    "the wheel has no {path}",
    advice="rebuild the wheel instead of renaming it",
    line=376,
)
ZIP_RECORDS = _invalid(
    "zip-records",
    "The records of a zip file agree: no data before, between or after them, no duplicate names, "
    "no comments, no data descriptors, and no unprintable names.",
    "ZIP archive not accepted: {error}.",
    "the records of the zip file are not accepted: {error}",
    line=404,
)
LICENSE_FILE = Rule(
    name="license-file",
    section=_SECTION,
    requires="Each `License-File` is in the archive.",
    message="License-File {license_file} does not exist in distribution file {filename} at {path}",
    problem="the archive has no License-File {license_file!r} at {path}",
    advice="include the file (license-files in pyproject.toml), or correct the metadata",
    source=source("forklift/legacy.py#L1410"),
)
RECORD = Rule(
    name="record",
    section=_SECTION,
    requires=(
        "A wheel has `RECORD`. If it disagrees with the files of the wheel, PyPI accepts the "
        "wheel, and sends an e-mail to the owners of the project."
    ),
    message="Wheel '{filename}' does not contain the required RECORD file: {path}",
    problem="the wheel has no readable {path}",
    advice=_REBUILD,
    source=source("forklift/legacy.py#L1540"),
)
ENTRY_POINTS = Rule(
    name="entry-points",
    section=_SECTION,
    requires=(
        "`entry_points.txt` of a wheel is an INI file in UTF-8; the names of its scripts have only "
        "letters, digits, `_`, `.` and `-`."
    ),
    message="Wheel '{filename}' has invalid entry points defined in the entry_points.txt file",
    problem="entry_points.txt is invalid: {error}",
    advice="correct the entry points in pyproject.toml",
    source=source("utils/wheel.py#L259"),
)
METADATA_FILE = Rule(
    name="metadata-file",
    section=_SECTION,
    requires="A wheel has `METADATA`.",
    message="Wheel '{filename}' does not contain the required METADATA file: {path}",
    problem="the wheel has no {path}",
    advice=_REBUILD,
    source=source("forklift/legacy.py#L1587"),
)

RULES = (
    ZIP_AND_TAR,
    NOT_A_ZIP,
    COMPRESSION_RATIO,
    COMPRESSION_TYPE,
    WHEEL_PARTS,
    WHEEL_FILE,
    ZIP_RECORDS,
    NOT_A_TAR,
    SPARSE_MEMBERS,
    TOP_LEVEL_FOLDER,
    PKG_INFO,
    UNREADABLE,
)
RULES_OF_CONTENT = (LICENSE_FILE, RECORD, ENTRY_POINTS, METADATA_FILE)
