"""The metadata in the upload form, which clients copy from the file.

The library `packaging.metadata` checks each field by itself. PyPI's own rules come after that.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, cast, get_origin, get_type_hints

from packaging.metadata import InvalidMetadata, Metadata, RawMetadata

from cloudrepo_server.specs.core_metadata import FORM_NAMES
from cloudrepo_server.specs.pypi_rules.form import UploadForm
from cloudrepo_server.specs.pypi_rules.metadata_rules import (
    DIRECT_REFERENCE,
    DYNAMIC,
    FIELD_DATA,
    FIELD_VERSION,
    LICENSES,
    LOCAL_VERSION,
    METADATA_VERSION,
    OF_FIELD,
    PROVIDES,
    SUMMARY_LENGTH,
)
from cloudrepo_server.specs.pypi_rules.metadata_values import (
    check_classifiers,
    check_emails,
    check_urls,
)
from cloudrepo_server.specs.pypi_rules.rule import Finding

METADATA_VERSIONS: Final = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5")
MAX_SUMMARY: Final = 512

# The maximum length of a value that is parsed. PyPI has no such limit.
_MAX_PARSED: Final = 32 << 10

_FIRST = ("metadata-version", "name", "version")
_LONG_TEXTS = frozenset({"description", "license", "keywords", "author", "maintainer"})
_ADDED = re.compile(r"introduced in metadata version ")
# https://packaging.python.org/specifications/core-metadata/#dynamic: all but three fields.
_NOT_DYNAMIC = frozenset({"name", "version", "metadata_version", "dynamic"})


def read_form(form: UploadForm) -> tuple[RawMetadata, list[str]]:
    """Return the metadata of a form, and the names of the fields that have no valid structure."""
    raw: dict[str, Any] = {}
    invalid: list[str] = []
    for key, kind in _kinds().items():
        name = FORM_NAMES.get(key, key)
        values = list(form.fields.get(name, ()))
        if values in ([], [""]):
            continue
        if key == "project_urls":
            raw[key] = _labelled(values)
        elif key == "keywords":
            raw[key] = [word.strip() for word in values[0].split(",")] if not values[1:] else None
        elif kind is list:
            raw[key] = values
        else:
            raw[key] = values[0] if not values[1:] else None
        if raw[key] is None or _too_long(key, values):
            del raw[key]
            invalid.append(name)
    return cast("RawMetadata", raw), invalid


def check_metadata(form: UploadForm, *, max_summary: int = MAX_SUMMARY) -> Iterator[Finding]:
    """Check the metadata in a form, in PyPI's order.

    If several fields are invalid, the metadata version comes first. The name and the version
    follow, and then the others in alphabetical order.
    """
    raw, invalid = read_form(form)
    unparsed = [(name, FIELD_DATA.broken(field=name)) for name in invalid]
    yield from _in_order(unparsed)
    yield from _in_order(list(_library_findings(raw)))
    metadata = Metadata.from_raw(raw, validate=False)
    yield from _in_order(list(_own_findings(metadata, raw, max_summary)))


def valid(metadata: Metadata, field: str) -> Any:  # noqa: ANN401 (each field has its own type)
    """Return the value of a field, or None if it is missing or not valid."""
    try:
        return getattr(metadata, field)
    except (InvalidMetadata, ValueError, RecursionError):
        return None


def _library_findings(raw: RawMetadata) -> Iterator[tuple[str, Finding]]:
    for error in _library_errors(raw):
        if error.field == "name":
            # The rules of the form have checked it.
            continue
        text = str(error)
        rule = OF_FIELD.get(error.field, FIELD_DATA)
        if _ADDED.search(text):
            rule = FIELD_VERSION
        yield error.field, rule.broken(field=error.field, text=text, full_stop=_full_stop(text))


def _library_errors(raw: RawMetadata) -> list[InvalidMetadata]:
    try:
        Metadata.from_raw(raw)
    except ExceptionGroup as group:
        return [each for each in group.exceptions if isinstance(each, InvalidMetadata)]
    except (ValueError, RecursionError) as error:
        # For example, a version with thousands of digits, or thousands of nested parentheses.
        return [InvalidMetadata("version", f"invalid metadata: {error}")]
    return []


def _own_findings(
    metadata: Metadata, raw: RawMetadata, max_summary: int
) -> Iterator[tuple[str, Finding]]:
    version = valid(metadata, "metadata_version")
    if version is not None and version not in METADATA_VERSIONS:
        text = f"{version!r} is not a valid metadata version"
        yield "metadata-version", METADATA_VERSION.broken(text=text, full_stop=".")
    parsed = valid(metadata, "version")
    if parsed is not None and parsed.local:
        yield "version", LOCAL_VERSION.broken(version=parsed)
    summary = raw.get("summary")
    if summary is not None and len(summary) > max_summary:
        yield "summary", SUMMARY_LENGTH.broken(length=len(summary), limit=max_summary)
    yield from check_emails(raw)
    yield from check_classifiers(raw.get("classifiers") or [])
    yield from check_urls(raw)
    yield from _check_requirements(metadata, raw)
    for field in valid(metadata, "dynamic") or []:
        if field not in _dynamic_fields():
            text = f"Dynamic field {field!r} is not a valid dynamic field"
            yield "dynamic", DYNAMIC.broken(text=text, full_stop=".")
    if raw.get("license") and raw.get("license_expression"):
        yield "license", LICENSES.broken()


def _check_requirements(metadata: Metadata, raw: RawMetadata) -> Iterator[tuple[str, Finding]]:
    from packaging.requirements import InvalidRequirement, Requirement

    for field, texts in (
        ("provides-dist", raw.get("provides_dist")),
        ("obsoletes-dist", raw.get("obsoletes_dist")),
    ):
        for text in texts or []:
            try:
                requirement = Requirement(text)
            except (InvalidRequirement, ValueError, RecursionError) as error:
                yield field, PROVIDES.broken(field=field, value=text, error=error)
                continue
            if requirement.url is not None:
                yield field, DIRECT_REFERENCE.broken(field=field, requirement=repr(text))
    for requirement in valid(metadata, "requires_dist") or []:
        if requirement.url is not None:
            yield (
                "requires-dist",
                DIRECT_REFERENCE.broken(field="requires-dist", requirement=requirement),
            )


def _in_order(findings: Sequence[tuple[str, Finding]]) -> list[Finding]:
    def place(entry: tuple[str, Finding]) -> tuple[int, str]:
        field = entry[0]
        return (_FIRST.index(field), "") if field in _FIRST else (len(_FIRST), field)

    return [finding for _, finding in sorted(findings, key=place)]


def _full_stop(text: str) -> str:
    return "" if text.endswith(".") else "."


def _labelled(values: Sequence[str]) -> dict[str, str] | None:
    # Each value is a label, a comma and a URL.
    labelled: dict[str, str] = {}
    for value in values:
        label, _, url = value.partition(",")
        if label.strip() in labelled:
            return None
        labelled[label.strip()] = url.strip()
    return labelled


def _too_long(key: str, values: Sequence[str]) -> bool:
    return key not in _LONG_TEXTS and any(len(value) > _MAX_PARSED for value in values)


@cache
def _kinds() -> Mapping[str, type]:
    """Return whether each field of the metadata is a string, a list or a mapping."""
    return {name: get_origin(kind) or kind for name, kind in get_type_hints(RawMetadata).items()}


@cache
def _dynamic_fields() -> frozenset[str]:
    singular = {"classifiers": "classifier", "project_urls": "project_url"}
    names = {
        FORM_NAMES.get(key, singular.get(key, key)) for key in _kinds() if key not in _NOT_DYNAMIC
    }
    return frozenset(name.replace("_", "-") for name in names)
