"""The options and ini keys: registered, and read."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line and the ini file say."""

    keep: bool
    url: str | None
    overwrite_protection: bool
    startup_timeout: float
    command_timeout: float


def register(parser: pytest.Parser) -> None:
    """Register the options and ini keys."""
    group = parser.getgroup("cloudrepo", "a private Python index for a test")
    group.addoption(
        "--cloudrepo-keep",
        action="store_true",
        help="leave the index server running, and say at the end where it is and how to stop it",
    )
    group.addoption(
        "--cloudrepo-url",
        metavar="URL",
        help="use this running cloudrepo-server and start none; its admin login is taken from "
        "CLOUDREPO_ADMIN_USERNAME and CLOUDREPO_ADMIN_PASSWORD",
    )
    parser.addini(
        "cloudrepo_overwrite_protection",
        "whether repositories have overwrite protection where the test does not say",
        type="bool",
        default=False,
    )
    parser.addini(
        "cloudrepo_startup_timeout",
        "seconds that the index server may take to start",
        type="float",
        default=30.0,
    )
    parser.addini(
        "cloudrepo_command_timeout",
        "seconds that a program may take that a fixture runs (twine, pip, build, virtualenv)",
        type="float",
        default=120.0,
    )


def read(config: pytest.Config) -> Options:
    """What they say.

    Raises:
        pytest.UsageError: one is no use.
    """
    url = config.getoption("cloudrepo_url")
    if url is not None and "@" in url:  # it would be shown, in the header for one
        raise pytest.UsageError(
            "--cloudrepo-url takes no login: set CLOUDREPO_ADMIN_USERNAME and "
            "CLOUDREPO_ADMIN_PASSWORD"
        )
    if url is not None and not url.startswith(("http://", "https://")):
        raise pytest.UsageError(f"--cloudrepo-url takes an http or https URL, not {url!r}")
    if url is not None and "/repositories" in url:
        raise pytest.UsageError(f"--cloudrepo-url takes a server's URL, not a repository's: {url}")
    options = Options(
        keep=config.getoption("cloudrepo_keep"),
        url=url,
        overwrite_protection=config.getini("cloudrepo_overwrite_protection"),
        startup_timeout=_seconds(config, "cloudrepo_startup_timeout"),
        command_timeout=_seconds(config, "cloudrepo_command_timeout"),
    )
    if options.keep and options.url:
        raise pytest.UsageError(
            "--cloudrepo-keep is for a server that the run starts; --cloudrepo-url starts none"
        )
    return options


def _seconds(config: pytest.Config, key: str) -> float:
    try:
        seconds: float = config.getini(key)
    except (ValueError, pytest.UsageError) as error:  # pytest's own words do not name the key
        raise pytest.UsageError(f"the ini key {key} takes a number of seconds: {error}") from None
    if seconds <= 0:
        raise pytest.UsageError(f"the ini key {key} must be more than 0 seconds")
    return seconds
