"""The settings of a new repository, which options of several commands choose."""

import argparse
from collections.abc import Iterable
from typing import Any

import msgspec

from cloudrepo_server.cli import arguments
from cloudrepo_server.errors import InvalidError

_WORDS = {"true": True, "false": False, "null": None, "none": None}


def setting(text: str) -> tuple[str, Any]:
    """Return a setting and its value, from a text such as `overwrite_protection=true`.

    Raises:
        argparse.ArgumentTypeError: the text has no name or no equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a setting: use a name and a value, such as overwrite_protection=true"
        )
    if name != "rules" and value.lower() in _WORDS:
        return name, _WORDS[value.lower()]
    try:
        return name, msgspec.json.decode(value)
    except msgspec.MsgspecError:
        return name, value


def valid_settings(given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return settings by name, with their values in the types of a repository's settings.

    Raises:
        InvalidError: there is no setting with a name, or a value has another type.
    """
    # Imported here because few commands need it, and it imports the HTTP server.
    from cloudrepo_server.web.admin.bodies import RepositorySettings

    settings: dict[str, Any] = {}
    for name, value in given:
        if name not in RepositorySettings.__struct_fields__:
            names = ", ".join(RepositorySettings.__struct_fields__)
            raise InvalidError(f"there is no setting {name!r}: use one of {names}")
        try:
            settings |= msgspec.convert({name: value}, RepositorySettings).given()
        except msgspec.ValidationError as error:
            reason, _, _ = str(error).partition(" - at ")
            raise InvalidError(f"the value of the setting {name} is invalid: {reason}") from None
    return settings


def add_dependencies(parser: argparse.ArgumentParser, *, content: str, default: str) -> None:
    """Add the option `--dependencies`.

    Args:
        parser: the parser of the command.
        content: what the command takes from the index.
        default: what the command does without the option.
    """
    parser.add_argument(
        "--dependencies",
        type=arguments.index_url,
        metavar="URL",
        help=f"the index that has all other projects: {content}. pypi and testpypi mean the real "
        f"indexes (default: {default})",
    )


def dependency_settings(url: str) -> dict[str, Any]:
    """Return the settings of a repository that also offers the projects of another index.

    Raises:
        PublicIndexError: the installed twine or pip does not contain the URLs of PyPI.
    """
    from cloudrepo_server import clients

    # The pages of PyPI and of its mirrors link to files on another host.
    origins = tuple(clients.public_index(each).files for each in clients.PUBLIC_INDEXES)
    return {"upstream": (url,), "upstream_file_origins": origins}
