"""A repository's Connection Settings, and a project to try them with."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.workstation import Workstation

PACKAGE = "cloudrepo-portal-demo"
"""A name that exists on no other index, so that installing it proves which index was used."""

WHEEL = wheel(PACKAGE, "1.0")

PUBLISHING_PROJECT = f"""\
[build-system]
requires = ["{{requires}}"]
build-backend = "{{backend}}"
[project]
name = "{PACKAGE}"
version = "1.0"
description = "one"
requires-python = ">=3.11"
"""
"""A project with the module `cloudrepo_portal_demo`."""

CONSUMING_PROJECT = """\
[project]
name = "consumer"
version = "1"
requires-python = ">=3.11"
"""
"""A project that the package is added to."""


@dataclass(frozen=True, slots=True)
class Snippet:
    """Commands, or the text of a file."""

    file: str | None
    text: str


class ConnectionSettings:
    """A repository's Connection Settings for its user, with snippets by tool and title."""

    def __init__(self, index: Index) -> None:
        settings = index.api_json("GET", f"/connection?user={quote(index.username, safe='')}")
        self.url: str = settings["url"]
        self.index_url: str = settings["index_url"]
        self.username: str = settings["username"]
        self.tools = settings["tools"]

    def snippet(self, tool: str, title: str) -> Snippet:
        """Return the snippet of a tool with a title."""
        (found,) = [each for each in self.tools[tool]["snippets"] if each["title"] == title]
        return Snippet(found["file"], found["text"])


def save(workstation: Workstation, snippet: Snippet) -> None:
    """Save a snippet as the file that it belongs to."""
    assert snippet.file is not None
    workstation.write(snippet.file, snippet.text)


def assert_published(index: Index) -> None:
    """Check that the repository's user published a wheel of the package."""
    assert [name for name in index.files(PACKAGE) if name.endswith(".whl")]
    uploads = [each for each in index.journal() if each["method"] == "POST"]
    assert {(each["user"], each["status"]) for each in uploads} == {(index.username, 200)}


def assert_installed(index: Index, workstation: Workstation) -> None:
    """Check that the repository's user downloaded the wheel, and that it can be imported."""
    workstation.run("python -c 'import cloudrepo_portal_demo'")
    downloads = [each for each in index.journal() if each["filename"] == WHEEL.filename]
    assert {(each["user"], each["status"]) for each in downloads} == {(index.username, 200)}
