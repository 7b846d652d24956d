"""The settings of a repository that concern its pages and the URLs of its files."""

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.digests import check_algorithms
from cloudrepo_server.specs.file_urls import PLACES

# RFC 9111 gives no limit. By convention, a year means that a response never changes.
_MAX_PAGE_AGE = 365 * 86_400
# The longest time that object stores allow for presigned URLs.
_MAX_FILE_URL_SECONDS = 7 * 86_400


def check_page_settings(document: RepositoryDocument) -> None:
    """Check the settings of a repository that concern its pages and the URLs of its files.

    Raises:
        InvalidError: a setting is not valid.
    """
    check_algorithms(document.digests or ())
    if not 0 <= (document.page_max_age or 0) <= _MAX_PAGE_AGE:
        raise InvalidError(
            f"page_max_age must be a number of seconds from 0 to {_MAX_PAGE_AGE}, or null for "
            "the value of the dialect."
        )
    check_place(document.files)
    check_file_url_seconds(document.file_url_seconds)


def check_place(files: str | None) -> None:
    """Check the setting `files`.

    Raises:
        InvalidError: the value is unknown.
    """
    if files is not None and files not in PLACES:
        raise InvalidError(
            f"Unknown value {files[:64]!r} of the setting files; use one of: {', '.join(PLACES)}, "
            "or null for the value of the dialect."
        )


def check_file_url_seconds(seconds: float) -> None:
    """Check the setting `file_url_seconds`.

    Raises:
        InvalidError: the number is too small or too large.
    """
    if not 0 <= seconds <= _MAX_FILE_URL_SECONDS:
        raise InvalidError(
            f"file_url_seconds must be a number of seconds from 0 to {_MAX_FILE_URL_SECONDS}."
        )
