"""The steps of CloudRepo's page on Python repositories.

https://cloudrepo.io/docs/python-repositories.html
"""

from __future__ import annotations

import configparser
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import requests

from pytest_cloudrepo import Project, Repository, Server, VirtualEnv
from pytest_cloudrepo._programs import command
from tests.support.shown_output import shows_status

if TYPE_CHECKING:
    from pytest_cloudrepo import CommandResult
    from pytest_cloudrepo.factories import ProjectFactory

TWINE = (sys.executable, "-m", "twine", "upload", "dist/*", "--repository", "cloudrepo")


@dataclass(frozen=True)
class Reader:
    """A reader of the page, with a home folder and the environment of a terminal."""

    repository: Repository
    environ: dict[str, str]

    def write_pypirc(self, username: str, password: str) -> None:
        pypirc = Path(self.environ["HOME"], ".pypirc")
        parser = configparser.RawConfigParser()
        parser.read_dict(
            {
                "distutils": {"index-servers": "\ncloudrepo\npypi"},
                "cloudrepo": {
                    "repository": self.repository.url,
                    "username": username,
                    "password": password,
                },
            }
        )
        with pypirc.open("w", encoding="utf-8") as file:
            parser.write(file)
        pypirc.chmod(0o600)

    def twine_upload(self, project: Project) -> CommandResult:
        return command.run(
            TWINE, environ=self.environ, cwd=project.folder, timeout=120, check=False
        )

    def get(self, path: str) -> requests.Response:
        login = self.repository.username, self.repository.password
        return requests.get(f"{self.repository.url}/{path}", auth=login, timeout=30)

    def index_url(self, at_sign: str) -> str:
        username = quote(self.repository.username, safe="").replace("%40", at_sign)
        scheme, _, rest = self.repository.url.partition("://")
        return f"{scheme}://{username}:{quote(self.repository.password, safe='')}@{rest}"


@pytest.fixture
def reader(cloudrepo: Repository) -> Reader:
    environ = cloudrepo.environ_for("pip")
    # The page configures twine in a file and on the command line only.
    environ = {
        name: value for name, value in environ.items() if not name.startswith("TWINE_REPOSITORY")
    }
    reader = Reader(cloudrepo, environ)
    reader.write_pypirc(cloudrepo.username, cloudrepo.password)
    return reader


@pytest.fixture
def project(cloudrepo_project: ProjectFactory) -> Project:
    project = cloudrepo_project("example-package", "1.0", setup_py=True)
    project.build()
    return project


def change_and_rebuild(project: Project) -> None:
    Path(project.folder, "example_package.py").write_text("x = 2\n", encoding="utf-8")
    project.build()


def test_an_uploaded_file_is_listed_immediately(reader: Reader, project: Project) -> None:
    uploaded = reader.twine_upload(project)

    assert uploaded.ok, uploaded.output
    names = ["example_package-1.0-py3-none-any.whl", "example_package-1.0.tar.gz"]
    assert reader.repository.files("example-package") == names
    page = reader.get("example-package/").text
    assert all(f">{name}</a>" in page for name in names)
    assert ">example-package</a>" in reader.get("").text
    built = Path(project.folder, "dist", names[0])
    assert reader.get(f"example-package/{names[0]}").content == built.read_bytes()


@pytest.mark.parametrize("at_sign", ["@", "%40"])
def test_pip_installs_with_the_credentials_in_the_url(
    reader: Reader, project: Project, cloudrepo_venv: VirtualEnv, at_sign: str
) -> None:
    assert reader.twine_upload(project).ok
    url = reader.index_url(at_sign)

    command.run(
        [cloudrepo_venv.python, "-m", "pip", "install", "--index-url", url, "example-package"],
        environ={**reader.environ, "PIP_INDEX_URL": ""},
        timeout=120,
        secrets=[reader.repository.password],
    )

    assert cloudrepo_venv.version("example-package") == "1.0"


def test_overwrites_are_allowed_while_overwrite_protection_is_disabled(
    reader: Reader, project: Project
) -> None:
    assert reader.twine_upload(project).ok
    before = reader.get("example-package/example_package-1.0-py3-none-any.whl").content
    change_and_rebuild(project)

    again = reader.twine_upload(project)

    assert again.ok, again.output
    after = reader.get("example-package/example_package-1.0-py3-none-any.whl").content
    built = Path(project.folder, "dist", "example_package-1.0-py3-none-any.whl").read_bytes()
    assert after == built
    assert after != before


def test_overwrites_are_rejected_while_overwrite_protection_is_enabled(
    reader: Reader, project: Project
) -> None:
    assert reader.twine_upload(project).ok
    before = reader.get("example-package/example_package-1.0-py3-none-any.whl").content
    page = reader.get("example-package/").text
    reader.repository.overwrite_protection = True
    change_and_rebuild(project)

    again = reader.twine_upload(project)

    assert not again.ok
    assert "already exists" in " ".join(again.output.split())
    assert reader.get("example-package/example_package-1.0-py3-none-any.whl").content == before
    assert reader.get("example-package/").text == page


def test_the_admin_user_cannot_use_the_repository(
    reader: Reader, project: Project, cloudrepo_server: Server
) -> None:
    username, password = cloudrepo_server.admin_username, cloudrepo_server.admin_password
    reader.write_pypirc(username, password)

    rejected = reader.twine_upload(project)

    assert not rejected.ok
    assert shows_status(rejected.output, 401)
    assert "admin user" in " ".join(rejected.output.split())
    response = requests.get(reader.repository.url, auth=(username, password), timeout=30)
    assert response.status_code == 401
    assert "Basic realm=" in response.headers["WWW-Authenticate"]
    assert reader.repository.files("example-package") == []
