"""The settings of a repository, for the marker, `cloudrepo_factory` and `Server`."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class NamedRepository(Protocol):
    """An object with the name of a repository, such as a `Repository`."""

    @property
    def name(self) -> str:
        """The repository's name on the server."""


class RepositorySettings(TypedDict, total=False):
    """The settings of a new repository. A setting that is left out has its default."""

    overwrite_protection: bool
    """Whether to reject uploads that would replace an existing file. The default is False."""
    public: bool
    """Whether anyone may read the repository, at `/public/repositories`. The default is False."""
    dialect: str
    """The registry to imitate where registries differ. The default is `modern`."""
    rules: Literal["pypi", "none"] | None
    """Whether to reject what PyPI rejects, `pypi` or `none`. By default the dialect decides."""
    max_file_size: int | None
    """The size of the largest file that can be uploaded, in bytes. By default there is no limit, or
    100 MiB with PyPI's rules."""
    max_project_size: int | None
    """The size of all files of a project, in bytes, with PyPI's rules. By default 10 GiB."""
    max_release_age: float | None
    """The age in seconds up to which a release accepts files, with PyPI's rules. By default 14
    days."""
    max_summary: int | None
    """The number of characters of a summary, with PyPI's rules. By default 512."""
    prohibited_names: Sequence[str]
    """The names that no new project may have, with PyPI's rules. By default none."""
    upstream: Sequence[NamedRepository | str]
    """Repositories, or URLs of other indexes, whose projects this repository also offers."""
    upstream_strategy: Literal["first-match", "best-version"]
    """Which index provides a project's files, if several have it. The default is `first-match`.

    `first-match` takes them from the first of these indexes, `best-version` from all.
    """
    upstream_file_origins: Sequence[str]
    """Further origins from which the files of an upstream URL may come, besides its own origin."""
    minted_token_seconds: float
    """How many seconds a token of trusted publishing is valid. The default is 900, as on PyPI."""
    disabled_identity_providers: Sequence[str]
    """The identity providers whose tokens trusted publishing rejects. By default there is none."""


# For each setting: its default (as `pytest --markers` shows it), its types, and the expected value
# in the words of an error message.
SETTINGS: Final[Mapping[str, tuple[object, tuple[type, ...], str]]] = {
    "overwrite_protection": (False, (bool,), "True or False"),
    "public": (False, (bool,), "True or False"),
    "dialect": ("modern", (str,), "a string, such as 'pypi'"),
    "rules": (None, (str, NoneType), "'pypi', 'none' or None"),
    "max_file_size": (None, (int, NoneType), "a number of bytes, or None"),
    "max_project_size": (None, (int, NoneType), "a number of bytes, or None"),
    "max_release_age": (None, (float, int, NoneType), "a number of seconds, or None"),
    "max_summary": (None, (int, NoneType), "a number of characters, or None"),
    "prohibited_names": ((), (list, tuple), "a list of project names, such as ['taken']"),
    "upstream": (
        (),
        (list, tuple),
        "a list of repositories and index URLs, such as [repository]",
    ),
    "upstream_strategy": ("first-match", (str,), "'first-match' or 'best-version'"),
    "upstream_file_origins": (
        (),
        (list, tuple),
        "a list of origins, such as ['https://files.example.com']",
    ),
    "minted_token_seconds": (900.0, (int, float), "a number of seconds"),
    "disabled_identity_providers": (
        (),
        (list, tuple),
        "a list of identity providers, such as ['github']",
    ),
}

MARKER: Final = (
    "cloudrepo(*, {}): the settings of the test's `cloudrepo` repository; of several markers, only "
    "the closest one applies."
).format(", ".join(f"{name}={default!r}" for name, (default, _, _) in SETTINGS.items()))


def check(settings: Mapping[str, object]) -> None:
    """Check the names and types of settings.

    Raises:
        TypeError: a setting is unknown, or has the wrong type.
    """
    __tracebackhide__ = True
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown:
        raise TypeError(
            f"unknown setting {', '.join(map(repr, unknown))}; "
            f"the settings are {', '.join(sorted(SETTINGS))}"
        )
    for name, value in settings.items():
        _, types, expected = SETTINGS[name]
        if not isinstance(value, types):
            raise TypeError(f"{name} must be {expected}, not {value!r}")


def to_json(settings: RepositorySettings) -> dict[str, Any]:
    """Return the settings as the admin API expects them.

    Raises:
        TypeError: a setting is unknown, or has the wrong type.
    """
    __tracebackhide__ = True
    check(settings)
    body: dict[str, Any] = dict(settings)
    if "upstream" in settings:
        body["upstream"] = [
            index if isinstance(index, str) else index.name for index in settings["upstream"]
        ]
    return body
