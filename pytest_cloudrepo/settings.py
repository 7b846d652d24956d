"""The settings of a repository, for the marker, `cloudrepo_factory` and `Server`."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol, TypedDict

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
    """The maximum size of a file, in bytes. By default there is no limit, or 100 MiB with PyPI's
    rules."""
    max_project_size: int | None
    """The maximum size of all files of a project together, in bytes, with PyPI's rules. By default
    10 GiB."""
    max_release_age: float | None
    """The age in seconds up to which a release accepts files, with PyPI's rules. By default 14
    days."""
    max_summary: int | None
    """The maximum number of characters of a summary, with PyPI's rules. By default 512."""
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
    digests: Sequence[str] | None
    """The digests that pages list, such as `["sha512", "md5"]`; an empty list means none. By
    default the dialect decides, usually for sha256."""
    page_max_age: int | None
    """How many seconds clients may cache a page. By default the dialect decides."""
    files: Literal["index", "other-host", "redirect"] | None
    """Where the files are. By default the dialect decides.

    With `index`, the index serves them. With `other-host`, pages link to another host. With
    `redirect`, the index redirects to a signed URL on another host, which expires.
    """
    file_url_seconds: float
    """How many seconds the signed URL of a file is valid, with `files="redirect"`. The default is
    60."""
    logins: Literal["known", "any"]
    """Which logins are accepted. The default is `known`.

    `known` accepts those of users and tokens, `any` accepts every user name and password.
    """
    anonymous: Literal["nothing", "read", "upload"]
    """What clients may do without a login. The default is `nothing`.

    `read` allows reads, `upload` allows reads and uploads.
    """
    private_projects: Sequence[str]
    """The projects that clients without a login cannot see. By default there are none.

    Each entry is a name, or the beginning of names such as `acme-*`.
    """
    no_login_status: Literal[401, 403, 404] | None
    """The status for requests without the login that they need. By default the dialect decides."""
    no_access_status: Literal[401, 403, 404] | None
    """The status for logins that may not see the repository. By default the dialect decides."""
    minted_token_seconds: float
    """How many seconds a token of trusted publishing is valid. The default is 900, as on PyPI."""
    disabled_identity_providers: Sequence[str]
    """The identity providers whose tokens trusted publishing rejects. By default there is none."""


class Setting(NamedTuple):
    """A setting: its default, its types, and the texts that describe it to users."""

    default: object
    types: tuple[type, ...]
    expected: str
    """The expected value, as an error message names it."""
    help: str
    """What the setting does, as `pytest --markers` shows it."""


SETTINGS: Final[Mapping[str, Setting]] = {
    "overwrite_protection": Setting(
        default=False,
        types=(bool,),
        expected="True or False",
        help="reject uploads that would replace an existing file",
    ),
    "public": Setting(
        default=False,
        types=(bool,),
        expected="True or False",
        help="let anyone read the repository, at /public/repositories",
    ),
    "dialect": Setting(
        default="modern",
        types=(str,),
        expected="a string, such as 'pypi'",
        help="the registry to imitate where registries differ",
    ),
    "rules": Setting(
        default=None,
        types=(str, NoneType),
        expected="'pypi', 'none' or None",
        help="'pypi' rejects what PyPI rejects, 'none' does not; by default the dialect decides",
    ),
    "max_file_size": Setting(
        default=None,
        types=(int, NoneType),
        expected="a number of bytes, or None",
        help="the maximum size of a file, in bytes",
    ),
    "max_project_size": Setting(
        default=None,
        types=(int, NoneType),
        expected="a number of bytes, or None",
        help="the maximum size of all files of a project together, in bytes, with PyPI's rules",
    ),
    "max_release_age": Setting(
        default=None,
        types=(float, int, NoneType),
        expected="a number of seconds, or None",
        help="the age in seconds up to which a release accepts files, with PyPI's rules",
    ),
    "max_summary": Setting(
        default=None,
        types=(int, NoneType),
        expected="a number of characters, or None",
        help="the maximum number of characters of a summary, with PyPI's rules",
    ),
    "prohibited_names": Setting(
        default=(),
        types=(list, tuple),
        expected="a list of project names, such as ['taken']",
        help="the names that no new project may have, with PyPI's rules",
    ),
    "upstream": Setting(
        default=(),
        types=(list, tuple),
        expected="a list of repositories and index URLs, such as [repository]",
        help="repositories, or URLs of other indexes, whose projects are offered too",
    ),
    "upstream_strategy": Setting(
        default="first-match",
        types=(str,),
        expected="'first-match' or 'best-version'",
        help="'first-match' takes a project's files from one index, 'best-version' from all",
    ),
    "upstream_file_origins": Setting(
        default=(),
        types=(list, tuple),
        expected="a list of origins, such as ['https://files.example.com']",
        help="further origins from which the files of an upstream URL may come",
    ),
    "digests": Setting(
        default=None,
        types=(list, tuple, NoneType),
        expected="a list of digests, such as ['sha512', 'md5'], or None",
        help="the digests that pages list; by default the dialect decides",
    ),
    "page_max_age": Setting(
        default=None,
        types=(int, NoneType),
        expected="a number of seconds, or None",
        help="how many seconds clients may cache a page",
    ),
    "files": Setting(
        default=None,
        types=(str, NoneType),
        expected="'index', 'other-host', 'redirect' or None",
        help="where files are: 'other-host' links to another host, 'redirect' redirects there",
    ),
    "file_url_seconds": Setting(
        default=60.0,
        types=(int, float),
        expected="a number of seconds",
        help="how many seconds a signed URL is valid, with files='redirect'",
    ),
    "logins": Setting(
        default="known",
        types=(str,),
        expected="'known' or 'any'",
        help="which logins are accepted: known ones, or any user name and password",
    ),
    "anonymous": Setting(
        default="nothing",
        types=(str,),
        expected="'nothing', 'read' or 'upload'",
        help="what clients may do without a login: nothing, read, or read and upload",
    ),
    "private_projects": Setting(
        default=(),
        types=(list, tuple),
        expected="a list of project names, such as ['secret', 'acme-*']",
        help="the projects that clients without a login cannot see",
    ),
    "no_login_status": Setting(
        default=None,
        types=(int, NoneType),
        expected="401, 403, 404 or None",
        help="the status for requests without the login that they need",
    ),
    "no_access_status": Setting(
        default=None,
        types=(int, NoneType),
        expected="401, 403, 404 or None",
        help="the status for logins that may not see the repository",
    ),
    "minted_token_seconds": Setting(
        default=900.0,
        types=(int, float),
        expected="a number of seconds",
        help="how many seconds a token of trusted publishing is valid",
    ),
    "disabled_identity_providers": Setting(
        default=(),
        types=(list, tuple),
        expected="a list of identity providers, such as ['github']",
        help="the identity providers whose tokens trusted publishing rejects",
    ),
}


def marker_help() -> str:
    """Return the description of the marker for `pytest --markers`, with a line for each setting."""
    lines = [f"    {name}={each.default!r}: {each.help}" for name, each in SETTINGS.items()]
    summary = (
        "cloudrepo(**settings): the settings of the test's `cloudrepo` repository; of several "
        "markers, only the closest one applies."
    )
    return "\n".join([summary, *lines])


def _check_settings(settings: Mapping[str, object]) -> None:
    """Check the names and types of settings.

    Raises:
        TypeError: a setting is unknown, or has the wrong type.
    """
    __tracebackhide__ = True
    unknown = [name for name in settings if name not in SETTINGS]
    if unknown:
        raise TypeError(
            f"unknown setting {', '.join(map(_with_suggestion, unknown))}; "
            f"the settings are {', '.join(sorted(SETTINGS))}"
        )
    for name, value in settings.items():
        setting = SETTINGS[name]
        if not isinstance(value, setting.types):
            raise TypeError(f"{name} must be {setting.expected}, not {value!r}")


def check_marker(arguments: Sequence[object], settings: Mapping[str, object]) -> None:
    """Check the arguments of the marker.

    Raises:
        TypeError: the marker has positional arguments, or a setting is unknown or has the wrong
            type.
    """
    if arguments:
        raise TypeError("it takes keyword arguments only")
    _check_settings(settings)


def _with_suggestion(name: str) -> str:
    """Return an unknown name and a similar setting, which the user probably meant."""
    from difflib import get_close_matches  # few names are misspelled

    similar = get_close_matches(name.lower(), SETTINGS, n=1)
    return f"{name!r} (did you mean {similar[0]!r}?)" if similar else repr(name)


def to_json(settings: RepositorySettings) -> dict[str, Any]:
    """Return the settings as the admin API expects them.

    Raises:
        TypeError: a setting is unknown, or has the wrong type.
    """
    __tracebackhide__ = True
    _check_settings(settings)
    body: dict[str, Any] = dict(settings)
    if "upstream" in settings:
        body["upstream"] = [
            index if isinstance(index, str) else index.name for index in settings["upstream"]
        ]
    return body
