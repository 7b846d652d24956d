"""Values in the metadata that libraries of the extra `pypi` check: e-mails, classifiers, URLs.

A check whose library is not installed finds nothing: see `libraries.py`.
"""

import difflib
import email.utils
import itertools
from collections.abc import Iterator, Sequence
from functools import cache

from packaging.metadata import RawMetadata

from cloudrepo_server.specs.pypi_rules import libraries
from cloudrepo_server.specs.pypi_rules.metadata_rules import (
    CLASSIFIER,
    DEPRECATED_CLASSIFIER,
    EMAIL,
    PROJECT_URL,
    URL,
)
from cloudrepo_server.specs.pypi_rules.rule import Finding

_MAX_LABEL = 32
# A search for a similar classifier takes milliseconds.
_MAX_SUGGESTIONS = 20
_MAX_CLASSIFIER = 200


def check_emails(raw: RawMetadata) -> Iterator[tuple[str, Finding]]:
    """Check the addresses of authors and maintainers; yield each finding with its field."""
    if not libraries.has("email_validator"):
        return
    from email_validator import EmailNotValidError, validate_email

    for field, name, text in (
        ("author-email", "Author-email", raw.get("author_email")),
        ("maintainer-email", "Maintainer-email", raw.get("maintainer_email")),
    ):
        address = email.utils.parseaddr(text or "")[1]
        if address:
            try:
                validate_email(address, check_deliverability=False)
            except (EmailNotValidError, ValueError) as error:
                yield field, EMAIL.broken(address=address, error=error, field=name)


def check_classifiers(classifiers: Sequence[str]) -> Iterator[tuple[str, Finding]]:
    """Check that classifiers are known and not deprecated; yield each finding with its field."""
    if not libraries.has("trove_classifiers"):
        return
    from trove_classifiers import classifiers as known
    from trove_classifiers import deprecated_classifiers as deprecated

    unknown = sorted(set(classifiers) - known - deprecated.keys())
    for number, classifier in enumerate(unknown):
        suggestion = "use a classifier of the list on PyPI"
        if classifier.startswith("Private ::"):
            suggestion = "remove it if you want to publish the release on PyPI"
        elif number < _MAX_SUGGESTIONS and (similar := _similar(classifier)):
            suggestion = f"did you mean {similar!r}?"
        yield "classifier", CLASSIFIER.broken(classifier=classifier, suggestion=suggestion)
    for classifier in sorted(set(classifiers) & deprecated.keys()):
        others = deprecated[classifier]
        yield (
            "classifier",
            DEPRECATED_CLASSIFIER.broken(
                classifier=classifier,
                instead=f", use one of {others} instead" if others else "",
                suggestion=f"use {' or '.join(map(repr, others))}" if others else "remove it",
            ),
        )


def check_urls(raw: RawMetadata) -> Iterator[tuple[str, Finding]]:
    """Check the URLs and their labels; yield each finding with its field."""
    for field, url in (
        ("home-page", raw.get("home_page")),
        ("download-url", raw.get("download_url")),
    ):
        if url is not None and not _is_url(url):
            yield field, URL.broken(field=field, url=url)
    for label, url in (raw.get("project_urls") or {}).items():
        text = None
        if not label:
            text = "Must have a label"
        elif len(label) > _MAX_LABEL:
            text = f"{label!r} must be {_MAX_LABEL} characters or less"
        elif not url:
            text = "Must have a URL"
        elif not _is_url(url):
            text = f"{url!r} is not a valid url"
        if text is not None:
            yield "project-url", PROJECT_URL.broken(label=label, text=text)


def _is_url(url: str) -> bool:
    if not libraries.has("rfc3986"):
        return True
    from rfc3986 import exceptions, uri_reference, validators

    validator = validators.Validator().allow_schemes("http", "https")
    validator.require_presence_of("scheme")
    validator.check_validity_of("scheme", "host", "port", "path", "query")
    try:
        validator.validate(uri_reference(url).normalize())
    except (exceptions.RFC3986Exception, ValueError):
        return False
    return True


def _similar(classifier: str) -> str | None:
    found = difflib.get_close_matches(classifier[:_MAX_CLASSIFIER], _classifiers(), n=1)
    if found:
        return found[0]
    # The closest parent, for a classifier whose last part is unknown.
    parts = classifier.split(" :: ")
    parents = (" :: ".join(parts[:length]) for length in range(len(parts) - 1, 1, -1))
    return next(
        (parent for parent in itertools.islice(parents, 8) if parent in _classifiers()), None
    )


@cache
def _classifiers() -> dict[str, None]:
    from trove_classifiers import sorted_classifiers

    return dict.fromkeys(sorted_classifiers)
