"""Wheels and sdists, written without a build."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count, product
from pathlib import Path
from typing import Final

from pytest_cloudrepo._distributions import build_backend, build_system, validation
from pytest_cloudrepo._distributions.release import METADATA_VERSION, Release
from pytest_cloudrepo.errors import PackageError

ANY: Final = "py3-none-any"

# Of an sdist's files, what is not to be installed but says how.
_ABOUT_SDIST: Final = frozenset({"PKG-INFO", "pyproject.toml", "setup.py", "setup.cfg"})

_LONGEST_FILENAME: Final = 255
# https://packaging.python.org/specifications/binary-distribution-format/
_TAG: Final = re.compile(r"\w+(\.\w+)*-\w+(\.\w+)*-\w+(\.\w+)*", re.ASCII)
_BUILD_TAG: Final = re.compile(r"\d[\w.]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file of a release."""

    filename: str
    content: bytes = field(repr=False)

    def save(self, folder: Path) -> Path:
        """Put it into a folder, and give its path."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.filename
        path.write_bytes(self.content)
        return path


class PackageFactory:
    """What `cloudrepo_package` gives."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()

    def __repr__(self) -> str:
        return f"<PackageFactory {self._folder}>"

    def __call__(  # noqa: PLR0913 - what can be said of a package, each by its own name
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        requires_python: str | None = None,
        extras: Mapping[str, Sequence[str]] | None = None,
        files: Mapping[str, str | bytes] | None = None,
        entry_points: Mapping[str, Mapping[str, str]] | None = None,
        tags: Sequence[str] = (ANY,),
        build_tag: str | None = None,
        metadata_version: str = METADATA_VERSION,
        sdist: bool = False,
    ) -> Path:
        """Write a wheel, or an sdist instead, and give its path.

        The same arguments give the same bytes.

        Args:
            name: The project's name, as people write it.
            version: Its version.
            requires: What it depends on.
            requires_python: The Pythons that it is for; any if not given.
            extras: What each extra depends on, as in `{"test": ["pytest"]}`.
            files: What it installs: relative paths and their content. Without a package of the
                project's name among them, there is a module of that name, which has `__version__`.
                Of a wheel, what lies in its .dist-info folder can be replaced too; of an sdist,
                PKG-INFO, pyproject.toml, setup.py and setup.cfg.
            entry_points: By group, as in `{"console_scripts": {"demo": "demo:main"}}`.
            tags: What a wheel is for; several of them where one file name can say so.
            build_tag: What tells a wheel from another of the same release.
            metadata_version: The version of its metadata, from 1.0 to 2.6.
            sdist: Whether it is an sdist; it builds without network.

        Raises:
            PackageError: It cannot be such a package.
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
            made = write_wheel(release, tags=tags, build_tag=build_tag)
        elif list(tags) != [ANY] or build_tag is not None:
            raise PackageError("an sdist has neither tags nor a build tag")
        else:
            made = write_sdist(release)
        return made.save(self._folder / str(next(self._numbers)))


def write_wheel(
    release: Release, *, tags: Sequence[str] = (ANY,), build_tag: str | None = None
) -> Distribution:
    """Give a release's wheel; the same release gives the same bytes.

    Args:
        release: The release.
        tags: What it is for, such as `cp311-cp311-win_amd64` or `py2.py3-none-any`; several of
            them have to differ in such a way that one file name can say so.
        build_tag: What tells it from another wheel of the release; it begins with a digit.

    Raises:
        PackageError: The release or a tag is not valid.
    """
    each = _single_tags(tags)
    parts = [release.stem, *([_checked_build_tag(build_tag)] if build_tag else []), _compress(each)]
    about = {"METADATA": release.core_metadata()}
    if entry_points := release.entry_points_file():
        about[build_backend.ENTRY_POINTS] = entry_points
    packed = build_backend.pack_wheel(
        release.stem, release.installed(), about, tags=each, build_tag=build_tag
    )
    return _distribution(f"{'-'.join(parts)}.whl", packed)


def write_sdist(release: Release) -> Distribution:
    """Give a release's sdist, which builds itself; the same release gives the same bytes.

    Of its files, PKG-INFO, pyproject.toml, setup.py and setup.cfg lie at its top, and replace what
    would be there; the others are what a wheel built from it installs.

    Raises:
        PackageError: The release is not valid.
    """
    contents = {
        "PKG-INFO": release.core_metadata(),
        "pyproject.toml": build_system.TABLE.encode(),
        build_system.BACKEND: build_system.backend(),
    }
    if entry_points := release.entry_points_file():
        contents[f"{build_system.FOLDER}/{build_backend.ENTRY_POINTS}"] = entry_points
    for path, content in release.installed().items():
        contents[path if path in _ABOUT_SDIST else f"src/{path}"] = content
    return _distribution(f"{release.stem}.tar.gz", build_backend.pack_sdist(release.stem, contents))


def _distribution(filename: str, content: bytes) -> Distribution:
    if len(filename) > _LONGEST_FILENAME:
        raise PackageError(f"the file name would be longer than {_LONGEST_FILENAME}: {filename}")
    return Distribution(filename, content)


def _single_tags(tags: object) -> list[str]:
    """Give the tags with each compressed set taken apart."""
    single: list[str] = []
    for tag in validation.listed(tags, "tags"):
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise PackageError(f"a wheel's tag has three parts, as {ANY!r} has, unlike {tag!r}")
        sets = (part.split(".") for part in tag.split("-"))
        single += ("-".join(parts) for parts in product(*sets))
    if not single:
        raise PackageError(f"a wheel has at least one tag, such as {ANY!r}")
    return list(dict.fromkeys(single))


def _compress(tags: list[str]) -> str:
    """Give the compressed tag set that stands for just these tags in a file name."""
    columns = zip(*(tag.split("-") for tag in tags), strict=True)
    parts = [list(dict.fromkeys(column)) for column in columns]
    if {"-".join(chosen) for chosen in product(*parts)} != set(tags):
        raise PackageError(
            f"no file name says just {', '.join(tags)}: write a wheel for each of them"
        )
    return "-".join(".".join(part) for part in parts)


def _checked_build_tag(build_tag: object) -> str:
    if isinstance(build_tag, str) and _BUILD_TAG.fullmatch(build_tag):
        return build_tag
    raise PackageError(f"a build tag is a text that begins with a digit, unlike {build_tag!r}")
