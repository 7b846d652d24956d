"""Compares the metadata that an index shows with the metadata in a file."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from cloudrepo_server.cli.rehearsal.report import Difference
from cloudrepo_server.errors import truncate

Fields = Mapping[str, Sequence[str]]
"""The values of metadata fields, by the names that they have in an upload form."""

_MAX_SHOWN = 200
# What some tools write for a field that has no value.
_MISSING = frozenset(("", "UNKNOWN", "None"))


def find_differences(
    shown: Fields, archive: Fields, source: Literal["JSON API", "upload form"]
) -> Iterator[Difference]:
    """Yield the fields that differ, except in spelling and order.

    Args:
        shown: the metadata that the index shows.
        archive: the metadata in the file.
        source: where the shown metadata come from.
    """
    for header, (name, normalize) in _FIELDS.items():
        values = [normalize(_values(fields, name)) for fields in (shown, archive)]
        if values[0] != values[1]:
            yield Difference(
                header, source, _text(shown.get(name, ())), _text(archive.get(name, ()))
            )
    urls = [_urls(fields) for fields in (shown, archive)]
    if urls[0] != urls[1]:
        yield Difference("Project-URL", source, *(_text(sorted(each)) for each in urls))


def form_fields(info: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the metadata of a release in PyPI's JSON, by the names of an upload form."""
    fields: dict[str, list[str]] = {}
    for name, value in info.items():
        if isinstance(value, str):
            fields[name] = [value]
        elif isinstance(value, list):
            fields[name] = [*map(str, value)]
        elif isinstance(value, dict):
            fields[name] = [f"{label}, {url}" for label, url in value.items()]
    return fields


def same_specifier(first: str | None, second: str | None) -> bool:
    """Return whether two values of Requires-Python are equal, except in spelling and order."""
    return _specifier([first or ""]) == _specifier([second or ""])


def _values(fields: Fields, name: str) -> list[str]:
    return [value for value in fields.get(name, ()) if value.strip() not in _MISSING]


def _text(values: Sequence[str]) -> str | None:
    text = ", ".join(" ".join(value.split()) for value in values)
    return truncate(text, _MAX_SHOWN) or None


def _urls(fields: Fields) -> set[str]:
    # PyPI shows the two older fields as project URLs.
    urls = {
        f"{label}, {url}"
        for label, name in (("Homepage", "home_page"), ("Download", "download_url"))
        for url in _values(fields, name)
    }
    for url in _values(fields, "project_urls"):
        label, _, target = url.partition(",")
        urls.add(f"{label.strip()}, {target.strip()}")
    return urls


def _name(values: Sequence[str]) -> object:
    return [canonicalize_name(value) for value in values]


def _version(values: Sequence[str]) -> object:
    try:
        return [Version(value) for value in values]
    except InvalidVersion:
        return values


def _words(values: Sequence[str]) -> object:
    return " ".join(values).split()


def _set(values: Sequence[str]) -> object:
    return {" ".join(value.split()) for value in values}


def _names(values: Sequence[str]) -> object:
    return {canonicalize_name(value) for value in values}


def _keywords(values: Sequence[str]) -> object:
    # Separated by commas or by spaces.
    return set(re.split(r"[,\s]+", ",".join(values).strip(", ")))


def _specifier(values: Sequence[str]) -> object:
    try:
        return SpecifierSet(",".join(values))
    except InvalidSpecifier:
        return values


def _requirements(values: Sequence[str]) -> object:
    try:
        return {Requirement(value) for value in values}
    except InvalidRequirement:
        return _set(values)


_Normalize = Callable[[Sequence[str]], object]
_FIELDS: Final[Mapping[str, tuple[str, _Normalize]]] = {
    "Name": ("name", _name),
    "Version": ("version", _version),
    "Summary": ("summary", _words),
    "Requires-Python": ("requires_python", _specifier),
    "Requires-Dist": ("requires_dist", _requirements),
    "Provides-Extra": ("provides_extra", _names),
    "Classifier": ("classifiers", _set),
    "Keywords": ("keywords", _keywords),
    "License": ("license", _words),
    "License-Expression": ("license_expression", _words),
    "Author": ("author", _words),
    "Author-email": ("author_email", _words),
    "Maintainer": ("maintainer", _words),
    "Maintainer-email": ("maintainer_email", _words),
    "Description-Content-Type": ("description_content_type", _words),
}
