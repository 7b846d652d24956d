"""Distributions with given file names.

Their wheels contain no modules, unless the release has files or entry points.
"""

from __future__ import annotations

from itertools import product
from typing import Final

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from pytest_cloudrepo._distributions import build_backend, validation
from pytest_cloudrepo._distributions.release import Release
from pytest_cloudrepo._distributions.sdist import sdist_content
from pytest_cloudrepo.errors import PackageError

_WHEEL: Final = ".whl"
_SDIST: Final = ".tar.gz"


def distribution_content(release: Release, filename: object, metadata: bytes) -> bytes:
    """Return the content of a wheel or an sdist.

    Args:
        release: the release.
        filename: the name of the file, which belongs to the release.
        metadata: the core metadata of the file.

    Raises:
        PackageError: the file name is invalid, or belongs to another release.
    """
    name = validation.one_line(filename, "a file name")
    if name.endswith(_SDIST):
        _check_release(release, name)
        return sdist_content(release, metadata)
    if not name.endswith(_WHEEL):
        raise PackageError(f"invalid file name {name!r}: it must end with {_WHEEL} or {_SDIST}")
    _check_release(release, name)
    parts = name.removesuffix(_WHEEL).split("-")
    tag_sets = [part.split(".") for part in parts[-3:]]
    dist_info = {"METADATA": metadata}
    if entry_points := release.entry_points_file():
        dist_info[build_backend.ENTRY_POINTS] = entry_points
    has_content = release.files or release.entry_points
    return build_backend.pack_wheel(
        release.stem,
        release.installed_files() if has_content else {},
        dist_info,
        tags=["-".join(tag) for tag in product(*tag_sets)],
        build_tag=parts[2] if len(parts) > 5 else None,  # noqa: PLR2004 - the build tag is optional
    )


def _check_release(release: Release, filename: str) -> None:
    try:
        if filename.endswith(_WHEEL):
            project, version, *_ = parse_wheel_filename(filename)
        else:
            project, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion) as error:
        raise PackageError(f"invalid file name {filename!r}: {error}") from None
    expected = canonicalize_name(release.name), Version(release.version)
    if (project, version) != expected:
        raise PackageError(
            f"the file name {filename!r} belongs to {project} {version}, not to this release"
        )
