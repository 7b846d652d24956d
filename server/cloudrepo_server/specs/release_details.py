"""The core metadata of a release, arranged for a page. They are untrusted, so lists have limits."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import msgspec
from packaging.metadata import RawMetadata
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cloudrepo_server.errors import truncate

MAX_LISTED = 300
"""The most values that a page lists of each kind, such as dependencies or classifiers."""
_MAX_TEXT = 1000
_LINK_SCHEMES = ("http", "https")
_EXTRA = re.compile(
    r"""\bextra\s*==\s*["']([A-Za-z0-9._-]+)["']|["']([A-Za-z0-9._-]+)["']\s*==\s*extra\b"""
)
_AND_EXTRA = re.compile(r"""(?:^|\s+and\s+)\bextra\s*==\s*["'][A-Za-z0-9._-]+["']$""")

T = TypeVar("T")


class Limited(msgspec.Struct, Generic[T], frozen=True):
    """The first values of a list, and the number of values that were left out."""

    values: Sequence[T] = ()
    omitted: int = 0


class Dependency(msgspec.Struct, frozen=True):
    """A dependency. If it is not valid, `text` contains all of it, and the other fields are empty.

    Attributes:
        name: the normalized name of the project, or an empty string.
        text: the name of the project as it was written.
        version: the extras, versions or URL that are required.
        condition: the environment marker, without the extra.
    """

    name: str
    text: str
    version: str = ""
    condition: str = ""


class Link(msgspec.Struct, frozen=True):
    """A labelled URL of a project; only a safe one may become a link."""

    label: str
    url: str
    is_safe: bool


class ReleaseDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What a page shows of the core metadata of a release."""

    summary: str = ""
    metadata_version: str = ""
    requires_python: str = ""
    license: str = ""
    """The license expression, or else the text of the field `License`."""
    license_files: Limited[str] = Limited()
    authors: str = ""
    maintainers: str = ""
    keywords: Limited[str] = Limited()
    links: Limited[Link] = Limited()
    classifiers: Mapping[str, Sequence[str]] = {}
    """The classifiers of each group, such as `Topic`, without the name of the group."""
    omitted_classifiers: int = 0
    extras: Limited[str] = Limited()
    dependencies: Mapping[str, Sequence[Dependency]] = {}
    """The dependencies of each extra; those of every installation have the key `""`."""
    omitted_dependencies: int = 0


def release_details(metadata: RawMetadata) -> ReleaseDetails:
    """Return what a page shows of core metadata."""
    requirements = _limited(metadata.get("requires_dist", ()))
    classifiers = _limited(metadata.get("classifiers", ()))
    return ReleaseDetails(
        summary=_text(metadata.get("summary")),
        metadata_version=_text(metadata.get("metadata_version")),
        requires_python=_text(metadata.get("requires_python")),
        license=_text(metadata.get("license_expression") or metadata.get("license")),
        license_files=_limited(metadata.get("license_files", ())),
        authors=_people(metadata.get("author"), metadata.get("author_email")),
        maintainers=_people(metadata.get("maintainer"), metadata.get("maintainer_email")),
        keywords=_limited(word for each in metadata.get("keywords", ()) if (word := each.strip())),
        links=_links(metadata),
        classifiers=_grouped_classifiers(classifiers.values),
        omitted_classifiers=classifiers.omitted,
        extras=_limited(metadata.get("provides_extra", ())),
        dependencies=_grouped_dependencies(
            requirements.values, metadata.get("provides_extra", ())[:MAX_LISTED]
        ),
        omitted_dependencies=requirements.omitted,
    )


def _text(value: str | None) -> str:
    return truncate((value or "").strip(), _MAX_TEXT)


def _limited(values: Iterable[str]) -> Limited[str]:
    texts = list(values)
    return Limited([_text(text) for text in texts[:MAX_LISTED]], max(0, len(texts) - MAX_LISTED))


def _people(name: str | None, email: str | None) -> str:
    return ", ".join(text for text in (_text(name), _text(email)) if text)


def _links(metadata: RawMetadata) -> Limited[Link]:
    labelled = dict(metadata.get("project_urls", {}))
    for label, url in (
        ("Homepage", metadata.get("home_page")),
        ("Download", metadata.get("download_url")),
    ):
        if url and url not in labelled.values():
            labelled.setdefault(label, url)
    links = [
        Link(_text(label) or "Link", _text(url), _is_safe(url)) for label, url in labelled.items()
    ]
    return Limited(links[:MAX_LISTED], max(0, len(links) - MAX_LISTED))


def _is_safe(url: str) -> bool:
    if len(url) > _MAX_TEXT or not url.isprintable():
        return False
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    # A user name could make a URL look like that of another host.
    return parts.scheme in _LINK_SCHEMES and bool(parts.hostname) and "@" not in parts.netloc


def _grouped_classifiers(classifiers: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for classifier in classifiers:
        group, separator, rest = classifier.partition(" :: ")
        groups.setdefault(group if separator else "Other", []).append(rest or group)
    return dict(sorted(groups.items()))


def _grouped_dependencies(
    requirements: Iterable[str], extras: Iterable[str]
) -> dict[str, list[Dependency]]:
    groups: dict[str, list[Dependency]] = {"": []}
    spellings: dict[str, str] = {}
    for extra in extras:
        spellings.setdefault(canonicalize_name(extra), extra)
        groups.setdefault(spellings[canonicalize_name(extra)], [])
    for requirement in requirements:
        found, dependency = _dependency(requirement)
        for extra in found or [""]:
            spelling = spellings.get(canonicalize_name(extra), extra)
            groups.setdefault(spelling, []).append(dependency)
    return {extra: group for extra, group in groups.items() if group or extra}


def _dependency(text: str) -> tuple[list[str], Dependency]:
    """Return the extras to which a dependency belongs, and the dependency."""
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, RecursionError, ValueError):
        return [], Dependency("", text)
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    version = f"{extras}{requirement.specifier}"
    if requirement.url:
        version = f"{extras} @ {requirement.url}"
    condition = str(requirement.marker or "")
    found = [first or second for first, second in _EXTRA.findall(condition)]
    if len(found) == 1:
        condition = _AND_EXTRA.sub("", condition)
    name = canonicalize_name(requirement.name)
    return found, Dependency(name, requirement.name, version, condition)
