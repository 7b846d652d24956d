"""`PackageFactory`, which writes wheels and sdists without running a build."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Final

from pytest_cloudrepo._distributions import build_backend, validation
from pytest_cloudrepo._distributions.release import METADATA_VERSION, Release
from pytest_cloudrepo._distributions.sdist import sdist_content
from pytest_cloudrepo.errors import PackageError

UNIVERSAL_TAG: Final = "py3-none-any"

_MAX_FILENAME_LENGTH: Final = 255
# https://packaging.python.org/specifications/binary-distribution-format/
_TAG: Final = re.compile(r"\w+(\.\w+)*-\w+(\.\w+)*-\w+(\.\w+)*", re.ASCII)
_BUILD_TAG: Final = re.compile(r"\d[\w.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A wheel or an sdist in memory."""

    filename: str
    content: bytes = field(repr=False)

    def save(self, folder: Path) -> Path:
        """Write the file into a folder, and return its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.filename
        path.write_bytes(self.content)
        return path


class PackageFactory:
    """Writes wheels and sdists; the value of the fixture `cloudrepo_package`."""

    def __init__(self, folder: Path) -> None:
        """Prepare the factory.

        Args:
            folder: the folder for the files.
        """
        self._folder = folder
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<PackageFactory {self._folder}>"

    def __call__(  # noqa: PLR0913 - the properties of a package are keyword arguments
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        requires_python: str | None = None,
        extras: Mapping[str, Sequence[str]] | None = None,
        files: Mapping[str, str | bytes] | None = None,
        entry_points: Mapping[str, Mapping[str, str]] | None = None,
        tags: Sequence[str] = (UNIVERSAL_TAG,),
        build_tag: str | None = None,
        metadata_version: str = METADATA_VERSION,
        sdist: bool = False,
    ) -> Path:
        """Write a wheel or an sdist, and return its path.

        The same arguments produce identical files.

        Args:
            name: the project's name, normalized or not.
            version: the project's version.
            requires: the dependencies.
            requires_python: the supported Python versions, such as `>=3.9`. By default all.
            extras: the dependencies of each extra, as in `{"test": ["pytest"]}`.
            files: the contents of the installed files, by relative path. If none of them is a
                module or package with the project's name, a module with `__version__` is added.
                A file replaces the generated file of the same path: in a wheel, a file of the
                .dist-info folder; in an sdist, PKG-INFO, pyproject.toml, setup.py or setup.cfg.
            entry_points: the entry points by group, as in
                `{"console_scripts": {"demo": "demo:main"}}`.
            tags: the wheel's compatibility tags. Several tags must form one compressed tag set,
                such as `py2.py3-none-any`.
            build_tag: the wheel's build tag, which begins with a digit.
            metadata_version: the version of the core metadata, from 1.0 to 2.6.
            sdist: whether to write an sdist instead of a wheel. The sdist can be built without
                network access.

        Raises:
            PackageError: an argument is invalid.
        """
        __tracebackhide__ = True
        release = Release(
            name,
            version,
            requires=requires,
            requires_python=requires_python,
            extras=extras,
            files=files,
            entry_points=entry_points,
            metadata_version=metadata_version,
        )
        if not sdist:
            distribution = create_wheel(release, tags=tags, build_tag=build_tag)
        elif list(tags) != [UNIVERSAL_TAG] or build_tag is not None:
            raise PackageError("tags and build_tag apply to wheels only, not to an sdist")
        else:
            distribution = create_sdist(release)
        return distribution.save(self._folder / str(next(self._numbers)))


def create_wheel(
    release: Release, *, tags: Sequence[str] = (UNIVERSAL_TAG,), build_tag: str | None = None
) -> Distribution:
    """Return the wheel of a release, in memory. The same arguments produce identical wheels.

    Args:
        release: the release.
        tags: compatibility tags, such as `cp311-cp311-win_amd64`. Several tags must form one
            compressed tag set, such as `py2.py3-none-any`.
        build_tag: the build tag, which begins with a digit.

    Raises:
        PackageError: the release or a tag is invalid.
    """
    single_tags = _single_tags(tags)
    parts = [
        release.stem,
        *([_checked_build_tag(build_tag)] if build_tag else []),
        _compressed_tag(single_tags),
    ]
    dist_info = {"METADATA": release.core_metadata()}
    if entry_points := release.entry_points_file():
        dist_info[build_backend.ENTRY_POINTS] = entry_points
    content = build_backend.pack_wheel(
        release.stem, release.installed_files(), dist_info, tags=single_tags, build_tag=build_tag
    )
    return _distribution(f"{'-'.join(parts)}.whl", content)


def create_sdist(release: Release) -> Distribution:
    """Return the sdist of a release, in memory. The same release produces identical sdists.

    The sdist contains its own build backend. Of the release's files, PKG-INFO, pyproject.toml,
    setup.py and setup.cfg replace the generated ones in the root folder. The other files are
    installed by a wheel that is built from the sdist.

    Raises:
        PackageError: the release is invalid.
    """
    content = sdist_content(release, release.core_metadata())
    return _distribution(f"{release.stem}.tar.gz", content)


def _distribution(filename: str, content: bytes) -> Distribution:
    if len(filename) > _MAX_FILENAME_LENGTH:
        raise PackageError(f"file name longer than {_MAX_FILENAME_LENGTH} characters: {filename}")
    return Distribution(filename, content)


def _single_tags(tags: object) -> list[str]:
    """Return the tags, with each compressed tag set expanded."""
    single: list[str] = []
    for tag in validation.require_list(tags, "tags"):
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise PackageError(
                f"invalid wheel tag {tag!r}: use three parts, as in {UNIVERSAL_TAG!r}"
            )
        sets = (part.split(".") for part in tag.split("-"))
        single += ("-".join(parts) for parts in product(*sets))
    if not single:
        raise PackageError(f"a wheel must have at least one tag, such as {UNIVERSAL_TAG!r}")
    return list(dict.fromkeys(single))


def _compressed_tag(tags: list[str]) -> str:
    """Return the compressed tag set that expands to exactly these tags."""
    columns = zip(*(tag.split("-") for tag in tags), strict=True)
    parts = [list(dict.fromkeys(column)) for column in columns]
    if {"-".join(chosen) for chosen in product(*parts)} != set(tags):
        raise PackageError(
            f"one file name cannot express exactly the tags {', '.join(tags)}: "
            "write a wheel for each of them"
        )
    return "-".join(".".join(part) for part in parts)


def _checked_build_tag(build_tag: object) -> str:
    if isinstance(build_tag, str) and _BUILD_TAG.fullmatch(build_tag):
        return build_tag
    raise PackageError(f"invalid build tag {build_tag!r}: use a string that begins with a digit")
