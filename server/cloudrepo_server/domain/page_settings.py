"""The settings of a repository that concern its pages."""

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.digests import check_algorithms

# RFC 9111 gives no limit. By convention, a year means that a response never changes.
_MAX_PAGE_AGE = 365 * 86_400


def check_page_settings(document: RepositoryDocument) -> None:
    """Check the settings of a repository that concern its pages.

    Raises:
        InvalidError: a setting is not valid.
    """
    check_algorithms(document.digests or ())
    if not 0 <= (document.page_max_age or 0) <= _MAX_PAGE_AGE:
        raise InvalidError(
            f"page_max_age must be a number of seconds from 0 to {_MAX_PAGE_AGE}, or null for "
            "the value of the dialect."
        )
