"""The rules for the name of a new project."""

import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from typing import Final

from packaging.utils import canonicalize_name

from cloudrepo_server.specs.pypi_rules import libraries
from cloudrepo_server.specs.pypi_rules.rule import Finding, Rule, source

_SECTION: Final = "The project"
_CHECK: Final = source("packaging/services.py#L487")

PROJECT_CREATOR = Rule(
    name="project-creator",
    section=_SECTION,
    requires=(
        "A token of trusted publishing creates only the project of its publisher. "
        "If the upload is for another existing project, PyPI responds with 403 instead."
    ),
    message=(
        "Non-user identities cannot create new projects. This was probably caused by successfully "
        "using a pending publisher but specifying the project name incorrectly (either in the "
        "publisher or in your project's metadata). Please ensure that both match."
    ),
    problem="the trusted publisher does not belong to the project {name!r}",
    advice="use the same project name in the publisher and in the release's metadata",
    source=source("forklift/legacy.py#L772"),
)
STANDARD_LIBRARY_NAME = Rule(
    name="standard-library-name",
    section=_SECTION,
    requires=(
        "The name of a new project is not the name of a standard library module, "
        "in any version of Python."
    ),
    message="The name {name!r} isn't allowed (conflict with Python Standard Library module name).",
    problem="the standard library has or had a module {name!r}",
    advice="choose another name for the project",
    source=_CHECK,
)
PROHIBITED_NAME = Rule(
    name="prohibited-name",
    section=_SECTION,
    requires=(
        "The name of a new project is not prohibited. PyPI's list is not public; "
        "here it is the setting `prohibited_names`."
    ),
    message="The name {name!r} isn't allowed.",
    problem="the project name {name!r} is prohibited",
    advice="choose another name for the project",
    source=_CHECK,
)
SIMILAR_NAME = Rule(
    name="similar-name",
    section=_SECTION,
    requires=(
        "The name of a new project is not confusingly similar to an existing one. Names that "
        "differ only in separators, `0` for `o`, or `1` for `l` or `i` are similar."
    ),
    message="The name {name!r} is too similar to an existing project.",
    problem="the project name {name!r} is too similar to {other!r}",
    advice="choose another name for the project",
    source=_CHECK,
)

RULES = (PROJECT_CREATOR, STANDARD_LIBRARY_NAME, PROHIBITED_NAME, SIMILAR_NAME)

_SEPARATORS = re.compile(r"[._-]+")
_CONFUSABLE = str.maketrans("lio", "110")


def check_new_name(name: str, *, prohibited: Collection[str] = ()) -> Iterator[Finding]:
    """Check the name of a project that does not exist yet, except for its similarity to others."""
    normalized = canonicalize_name(name)
    if libraries.has("stdlib_list") and normalized in _standard_library():
        yield STANDARD_LIBRARY_NAME.broken(name=name)
    if normalized in {canonicalize_name(each) for each in prohibited}:
        yield PROHIBITED_NAME.broken(name=name)


def find_similar(name: str, existing: Iterable[str]) -> str | None:
    """Return an existing project whose name is confusingly similar, or None."""
    confusable = confusable_name(name)
    return next((other for other in existing if confusable_name(other) == confusable), None)


def confusable_name(name: str) -> str:
    """Return a text that is the same for all names that can be confused."""
    return _SEPARATORS.sub("", name).lower().translate(_CONFUSABLE)


@cache
def _standard_library() -> frozenset[str]:
    from stdlib_list import short_versions, stdlib_list

    names = itertools.chain.from_iterable(map(stdlib_list, short_versions))
    # For a module in a package, the package is reserved too.
    parents = (itertools.accumulate(name.split("."), "{}.{}".format) for name in names)
    return frozenset(
        canonicalize_name(name.strip("-_.")) for name in itertools.chain.from_iterable(parents)
    )
