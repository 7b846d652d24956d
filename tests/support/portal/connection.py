"""What the portal's Connection Settings say, and a project to try it with."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from tests.support.archives import Archive, wheel
from tests.support.index import Index
from tests.support.portal.person import Person

PACKAGE = "cloudrepo-portal-demo"
"""A name that no index has which the machine may know."""

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

USING_PROJECT = """\
[project]
name = "user"
version = "1"
requires-python = ">=3.11"
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """A snippet of the portal."""

    file: str | None
    text: str


class Settings:
    """What a repository's Connection Settings show, by tool and title."""

    def __init__(self, index: Index) -> None:
        answer = index.done("GET", f"/connection?user={quote(index.username, safe='')}")
        self.url: str = answer["url"]
        self.index_url: str = answer["index_url"]
        self.username: str = answer["username"]
        self.tools = answer["tools"]

    def of(self, tool: str, title: str) -> Shown:
        (found,) = [each for each in self.tools[tool]["snippets"] if each["title"] == title]
        return Shown(found["file"], found["text"])


def save(person: Person, shown: Shown) -> None:
    assert shown.file is not None
    person.write(shown.file, shown.text)


def put(index: Index, archive: Archive) -> None:
    answer = index.server.request(
        "PUT",
        f"/api/repositories/{index.name}/files/{archive.filename}",
        data=archive.data,
        auth=index.server.admin,
    )
    assert answer.ok, answer.text


def assert_published(index: Index) -> None:
    assert [name for name in index.files(PACKAGE) if name.endswith(".whl")]
    uploads = [each for each in index.journal() if each["method"] == "POST"]
    assert {(each["user"], each["status"]) for each in uploads} == {(index.username, 200)}


def assert_installed(index: Index, person: Person) -> None:
    person.type("python -c 'import cloudrepo_portal_demo'")
    downloads = [each for each in index.journal() if each["filename"] == WHEEL.filename]
    assert {(each["user"], each["status"]) for each in downloads} == {(index.username, 200)}
