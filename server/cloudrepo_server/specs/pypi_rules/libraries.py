"""The libraries of the extra `pypi`, which some of the rules need."""

from functools import cache
from importlib.util import find_spec
from typing import Final

# The names of the rules that need each module.
_NEEDED_BY: Final = {
    "trove_classifiers": ("classifier", "deprecated-classifier"),
    "email_validator": ("email",),
    "rfc3986": ("url", "project-url"),
    "stdlib_list": ("standard-library-name",),
}

INSTALL: Final = 'python -m pip install "pytest-cloudrepo[pypi]"'


@cache
def has(module: str) -> bool:
    """Return whether a module is installed."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def missing_libraries() -> list[str]:
    """Return the names of the libraries that are not installed."""
    return [module.replace("_", "-") for module in _NEEDED_BY if not has(module)]


def unchecked_rules() -> list[str]:
    """Return the names of the rules that cannot be checked, because a library is missing."""
    return [rule for module, rules in _NEEDED_BY.items() if not has(module) for rule in rules]
