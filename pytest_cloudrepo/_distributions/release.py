"""A release of a project: its metadata and the files that it installs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import chain
from typing import Final

from packaging.requirements import Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from pytest_cloudrepo._distributions import build_backend, validation
from pytest_cloudrepo.errors import PackageError

METADATA_VERSION: Final = build_backend.METADATA_VERSION
_SUMMARY: Final = "A package made for a test"

# Version 2.0 was withdrawn (PEP 426), but many older wheels have it.
METADATA_VERSIONS: Final = ("1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6")

# https://packaging.python.org/specifications/core-metadata/
_FIRST_METADATA_VERSION: Final = {"requires": "1.2", "requires_python": "1.2", "extras": "2.0"}

# https://packaging.python.org/specifications/entry-points/
_ENTRY_POINT_WORD: Final = re.compile(r"[\w.-]+", re.ASCII)
_OBJECT_REFERENCE: Final = re.compile(
    r"(?P<module>\w+(\.\w+)*)(:(?P<object>\w+(\.\w+)*))?( *\[[\w., -]+\])?"
)
_SCRIPTS: Final = frozenset({"console_scripts", "gui_scripts"})


@dataclass(frozen=True, slots=True)
class Release:
    """The description of a release, from which its wheels and its sdist are written."""

    name: str
    version: str
    _: KW_ONLY
    requires: Sequence[str] = ()
    requires_python: str | None = None
    extras: Mapping[str, Sequence[str]] | None = None
    files: Mapping[str, str | bytes] | None = None
    entry_points: Mapping[str, Mapping[str, str]] | None = None
    metadata_version: str = METADATA_VERSION
    summary: str = _SUMMARY

    @property
    def stem(self) -> str:
        """The beginning of the release's file names, which is its normalized name and version.

        Raises:
            PackageError: the name or the version is invalid.
        """
        name = canonicalize_name(validation.project_name(self.name)).replace("-", "_")
        return f"{name}-{validation.project_version(self.version)}"

    def core_metadata(self) -> bytes:
        """Return the core metadata, the content of METADATA and PKG-INFO.

        Raises:
            PackageError: a field is invalid, or does not exist in the metadata version.
        """
        self._check_metadata_version()
        fields = {
            "Metadata-Version": [self.metadata_version],
            "Name": [validation.project_name(self.name)],
            "Version": [validation.project_version(self.version)],
            "Summary": [validation.one_line(self.summary, "the summary")],
            # A header, because metadata before version 2.1 cannot have the description in the body.
            "Description": [self.summary],
        }
        if self._is_at_least("2.1"):
            fields["Description-Content-Type"] = ["text/plain"]
        if self.requires_python:
            fields["Requires-Python"] = [_specifiers(self.requires_python)]
        extras = self._checked_extras()
        fields["Requires-Dist"] = [
            *validation.normalized_requirements(self.requires),
            *chain.from_iterable(extras.values()),
        ]
        fields["Provides-Extra"] = list(extras)
        return "".join(
            f"{field}: {value}\n" for field, values in fields.items() for value in values
        ).encode()

    def entry_points_file(self) -> bytes:
        """Return the content of entry_points.txt, which is empty without entry points.

        Raises:
            PackageError: a group, a name or an object reference is invalid.
        """
        return "\n".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in members)
            for group, members in self._checked_entry_points()
        ).encode()

    def installed_files(self) -> dict[str, bytes]:
        """Return the contents of the installed files by path.

        If the files have no package with the project's name, a module of that name is added.

        Raises:
            PackageError: a file's path is invalid.
        """
        files = validation.project_files(self.files)
        module = validation.module_name(self.name)
        installed = {path.as_posix(): content for path, content in files.items()}
        packages = {path.parts[0] for path in files if len(path.parts) > 1}
        if module not in packages:
            installed.setdefault(f"{module}.py", self._module(module))
        return installed

    def _module(self, name: str) -> bytes:
        text = f'__version__ = "{validation.project_version(self.version)}"\n'
        # Add the functions that entry points refer to, so that the entry points can be run.
        for function in self._functions(name):
            text += f'\n\ndef {function}():\n    print("{self.name}", __version__)\n'
        return text.encode()

    def _functions(self, module: str) -> list[str]:
        values = (value for _, members in self._checked_entry_points() for _, value in members)
        found = (_OBJECT_REFERENCE.fullmatch(value) for value in values)
        named = {match["object"] for match in found if match and match["module"] == module}
        return sorted(name for name in named if name and name.isidentifier())

    def _check_metadata_version(self) -> None:
        if self.metadata_version not in METADATA_VERSIONS:
            raise PackageError(
                f"invalid metadata version {self.metadata_version!r}; "
                f"the versions are {', '.join(METADATA_VERSIONS)}"
            )
        for option, first in _FIRST_METADATA_VERSION.items():
            if getattr(self, option) and not self._is_at_least(first):
                raise PackageError(
                    f"{option} requires metadata version {first} or later, "
                    f"not {self.metadata_version}"
                )

    def _is_at_least(self, version: str) -> bool:
        return METADATA_VERSIONS.index(self.metadata_version) >= METADATA_VERSIONS.index(version)

    def _checked_extras(self) -> dict[str, list[str]]:
        """Return the requirements of each extra, with the extra's environment marker."""
        extras: dict[str, list[str]] = {}
        for extra, texts in validation.require_mapping(self.extras or {}, "extras").items():
            name = validation.extra_name(extra)
            if self._is_at_least("2.3"):  # PEP 685
                name = canonicalize_name(name)
            if name in extras:
                raise PackageError(f"duplicate extra {name!r}")
            extras[name] = [
                _for_extra(each, name)
                for each in validation.requirements(texts, what=f"extra {extra!r}")
            ]
        return extras

    def _checked_entry_points(self) -> list[tuple[str, list[tuple[str, str]]]]:
        groups = validation.require_mapping(self.entry_points or {}, "entry_points")
        return [
            (
                _entry_point_name(group, "entry point group"),
                [
                    (_entry_point_name(name, "entry point name"), _object_reference(group, value))
                    for name, value in validation.require_mapping(
                        members, f"the entry point group {group!r}"
                    ).items()
                ],
            )
            for group, members in groups.items()
        ]


def _specifiers(text: object) -> str:
    try:
        if isinstance(text, str):
            SpecifierSet(text)
            return validation.one_line(text.strip(), "requires_python")
    except InvalidSpecifier:
        pass
    raise PackageError(
        f"requires_python must be a version specifier, such as '>=3.9', not {text!r}"
    )


def _for_extra(requirement: Requirement, extra: str) -> str:
    marker = f'extra == "{extra}"'
    if requirement.marker is not None:
        marker = f"({requirement.marker}) and {marker}"
        requirement.marker = None
    # Without a space before the semicolon, the semicolon would become part of the URL.
    return f"{requirement}{' ' if requirement.url else ''}; {marker}"


def _entry_point_name(word: object, what: str) -> str:
    if isinstance(word, str) and _ENTRY_POINT_WORD.fullmatch(word):
        return word
    raise PackageError(f"invalid {what} {word!r}: use letters, digits, '_', '.' and '-'")


def _object_reference(group: object, value: object) -> str:
    match = _OBJECT_REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if match and (match["object"] or group not in _SCRIPTS):
        return match.string
    raise PackageError(f"invalid entry point {value!r} in group {group!r}: use 'module:object'")
