"""The settings of a repository that concern PyPI's rules."""

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.models import RepositoryDocument
from cloudrepo_server.specs.dialects import PYPI, RULES, applies_pypi_rules
from cloudrepo_server.specs.filenames import check_project_name
from cloudrepo_server.specs.pypi_rules.libraries import INSTALL, missing_libraries, unchecked_rules

_MAX_PROHIBITED_NAMES = 1000
_UNITS_OF_LIMITS = {
    "max_file_size": "bytes",
    "max_project_size": "bytes",
    "max_release_age": "seconds",
    "max_summary": "characters",
}


def check_rule_settings(document: RepositoryDocument) -> None:
    """Check the settings of a repository that concern PyPI's rules.

    Raises:
        InvalidError: a setting is not valid, or the rules need a library that is missing.
    """
    for name, unit in _UNITS_OF_LIMITS.items():
        value = getattr(document, name)
        if value is not None and not 0 <= value < float("inf"):
            raise InvalidError(f"{name} must be 0 or more {unit}, or null for the default.")
    if len(document.prohibited_names) > _MAX_PROHIBITED_NAMES:
        raise InvalidError(f"prohibited_names can have at most {_MAX_PROHIBITED_NAMES} names.")
    for name in document.prohibited_names:
        try:
            check_project_name(name)
        except InvalidError as error:
            raise InvalidError(f"prohibited_names: {error}") from None
    check_rules(document.rules)


def check_rules(rules: str | None) -> None:
    """Check the choice of PyPI's rules.

    Raises:
        InvalidError: the choice is unknown, or the rules need a library that is missing.
    """
    if rules is not None and rules not in RULES:
        names = ", ".join(RULES)
        raise InvalidError(
            f"Unknown rules {rules[:64]!r}; use one of: {names}, or null to let the dialect decide."
        )
    if rules == PYPI and (missing := missing_libraries()):
        raise InvalidError(
            f"rules='pypi' needs libraries that are not installed where the server runs: "
            f"{', '.join(missing)}. Install the extra: {INSTALL}"
        )


def rules_left_out(document: RepositoryDocument) -> list[str]:
    """Return the names of PyPI's rules that apply to a repository, but cannot be checked."""
    applies = applies_pypi_rules(document.dialect, document.rules)
    return unchecked_rules() if applies else []
