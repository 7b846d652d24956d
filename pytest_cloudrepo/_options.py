"""The plugin's command-line options and ini keys."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Options:
    """The values of the command-line options and ini keys."""

    keep: bool
    url: str | None
    overwrite_protection: bool
    startup_timeout: float
    command_timeout: float
    preload_tools: bool
    cache: bool
    cache_folder: Path | None

    def template_cache(self) -> Path | None:
        """Return the folder with the cached templates of virtual environments, or None."""
        if not self.cache:
            return None
        if self.cache_folder is not None:
            return self.cache_folder / "templates"
        from platformdirs import user_cache_path  # not every run creates virtual environments

        folder = user_cache_path("pytest-cloudrepo", appauthor=False) / "templates"
        # The path starts with `~` if the user has no home folder, as in some containers.
        return folder if folder.is_absolute() else None


def add_options(parser: pytest.Parser) -> None:
    """Register the command-line options and ini keys."""
    group = parser.getgroup("cloudrepo", "private package indexes for tests")
    group.addoption(
        "--cloudrepo-keep",
        action="store_true",
        help="keep the index server running after the tests, and show in the summary its URL, its "
        "admin login, a link for each failed test, and how to stop it",
    )
    group.addoption(
        "--cloudrepo-url",
        metavar="URL",
        help="use the cloudrepo-server at this URL instead of starting one; set "
        "CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD to its admin login",
    )
    group.addoption(
        "--cloudrepo-no-cache",
        action="store_true",
        help="create virtual environments without the cache of templates that pytest sessions "
        "share",
    )
    parser.addini(
        "cloudrepo_cache_dir",
        "the folder in which templates of virtual environments are kept for later pytest sessions; "
        "a relative path is relative to pytest's root folder (default: a folder in the user's "
        "cache folder)",
        default="",
    )
    parser.addini(
        "cloudrepo_overwrite_protection",
        "whether repositories reject uploads that would replace an existing file, unless the test "
        "sets overwrite_protection itself",
        type="bool",
        default=False,
    )
    parser.addini(
        "cloudrepo_preload_tools",
        "whether twine and build are imported only once, by a process that forks itself for each "
        "call, which is faster; this has an effect on Linux only",
        type="bool",
        default=True,
    )
    parser.addini(
        "cloudrepo_startup_timeout",
        "seconds to wait for the index server to start",
        type="float",
        default=30.0,
    )
    parser.addini(
        "cloudrepo_command_timeout",
        "seconds after which a program that a fixture runs (twine, pip, build, virtualenv) is "
        "stopped",
        type="float",
        default=120.0,
    )


def read_options(config: pytest.Config) -> Options:
    """Return the values of the options and ini keys.

    Raises:
        pytest.UsageError: a value is invalid.
    """
    url = config.getoption("cloudrepo_url")
    # Credentials are rejected first, since every later message shows the URL.
    if url is not None and "@" in url:
        raise pytest.UsageError(
            "--cloudrepo-url must not contain credentials: set CLOUDREPO_ADMIN_USERNAME and "
            "CLOUDREPO_ADMIN_PASSWORD instead"
        )
    if url is not None:
        _check_url(url)
    options = Options(
        keep=config.getoption("cloudrepo_keep"),
        url=url,
        overwrite_protection=config.getini("cloudrepo_overwrite_protection"),
        startup_timeout=_seconds(config, "cloudrepo_startup_timeout"),
        command_timeout=_seconds(config, "cloudrepo_command_timeout"),
        preload_tools=config.getini("cloudrepo_preload_tools"),
        cache=not config.getoption("cloudrepo_no_cache"),
        cache_folder=_cache_folder(config),
    )
    if options.keep and options.url:
        raise pytest.UsageError(
            "--cloudrepo-keep cannot be combined with --cloudrepo-url, which starts no server"
        )
    return options


def _check_url(url: str) -> None:
    from cloudrepo_server.clients import is_web_url  # most runs start their own server

    if not is_web_url(url):
        raise pytest.UsageError(f"--cloudrepo-url must be a valid http or https URL, not {url!r}")
    if "/repositories" in url:
        raise pytest.UsageError(
            f"--cloudrepo-url must be the URL of a server, not of a repository: {url}"
        )


def _cache_folder(config: pytest.Config) -> Path | None:
    folder: str = config.getini("cloudrepo_cache_dir")
    if not folder:
        return None
    from pytest_cloudrepo import _paths  # few runs have the key

    return config.rootpath / _paths.one_path(folder)


def _seconds(config: pytest.Config, key: str) -> float:
    try:
        seconds: float = config.getini(key)
    except (ValueError, pytest.UsageError) as error:  # pytest's own message lacks the key
        raise pytest.UsageError(f"the ini key {key} must be a number of seconds: {error}") from None
    if seconds <= 0:
        raise pytest.UsageError(f"the ini key {key} must be greater than 0")
    return seconds
