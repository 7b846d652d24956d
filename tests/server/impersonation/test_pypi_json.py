"""PyPI's JSON API of a project, for tools that read it while a repository impersonates PyPI."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.support.archives import core_metadata, sdist, wheel
from tests.support.index import Index, Server
from tests.support.proxy_client import ProxyClient
from tests.support.raw import SECONDS

PYPI = "http://pypi.example"
METADATA = (
    "Summary: A demo\nAuthor: Ann\nAuthor-email: ann@example.com\nMaintainer: Bob\n"
    "Maintainer-email: bob@example.com\nLicense: line\nLicense-Expression: MIT\n"
    "Home-page: https://example.com/home\nDownload-URL: https://example.com/download\n"
    "Keywords: a,b\nClassifier: Topic :: Utilities\nRequires-Dist: other>1\nProvides-Extra: z\n"
    "Project-URL: Source, https://example.com/source\n"
    "License-File: LICENSE\nDynamic: Author\nPlatform: any\nPlatform: linux\n"
    "Description-Content-Type: text/markdown\n\n# Demo\n"
)
FIRST = wheel("Demo", "1.9", filename="demo-1.9-py3-none-any.whl")
WHEEL = wheel("Demo", "1.10", requires_python=">=3.9", more=METADATA, metadata_version="2.4")
SDIST = sdist("Demo", "1.10")


def get(index: Index, path: str, **headers: str) -> requests.Response:
    client = ProxyClient.of(index, f"{PYPI}/simple/")
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"http": client.url}
        return session.get(PYPI + path, headers=headers, timeout=SECONDS)


def document(index: Index, path: str) -> dict[str, Any]:
    response = get(index, path)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@pytest.fixture
def published(index: Index) -> Index:
    index.publish(FIRST, WHEEL, SDIST)
    return index


def test_the_info_is_the_core_metadata_of_the_latest_version(published: Index) -> None:
    found = document(published, "/pypi/demo/json")

    assert found["info"] == {
        "name": "Demo",
        "version": "1.10",
        "summary": "A demo",
        "description": "# Demo\n",
        "description_content_type": "text/markdown",
        "author": "Ann",
        "author_email": "ann@example.com",
        "maintainer": "Bob",
        "maintainer_email": "bob@example.com",
        "license": "line",
        "license_expression": "MIT",
        "home_page": "https://example.com/home",
        "download_url": "https://example.com/download",
        "requires_python": ">=3.9",
        "classifiers": ["Topic :: Utilities"],
        "license_files": ["LICENSE"],
        "dynamic": ["Author"],
        "platform": "any",
        "docs_url": None,
        "bugtrack_url": None,
        "downloads": {"last_day": -1, "last_week": -1, "last_month": -1},
        "requires_dist": ["other>1"],
        "provides_extra": ["z"],
        "keywords": "a, b",
        "project_urls": {
            "Homepage": "https://example.com/home",
            "Download": "https://example.com/download",
            "Source": "https://example.com/source",
        },
        "package_url": f"{PYPI}{published.path}/demo/",
        "project_url": f"{PYPI}{published.path}/demo/",
        "release_url": f"{PYPI}{published.path}/demo/",
        "yanked": False,
        "yanked_reason": None,
    }
    assert (found["last_serial"], found["vulnerabilities"]) == (0, [])


@pytest.mark.parametrize(
    ("versions", "yanked", "latest"),
    [
        (["1.0", "1.10", "1.9"], [], "1.10"),
        (["1.0", "2.0rc1"], [], "1.0"),
        (["1.0", "2.0"], ["2.0"], "1.0"),
        (["1.0rc1", "2.0rc1"], [], "2.0rc1"),
        (["1.0", "2.0"], ["1.0", "2.0"], "2.0"),
    ],
)
def test_the_latest_version_is_the_version_that_installers_choose(
    index: Index, versions: list[str], yanked: list[str], latest: str
) -> None:
    wheels = {version: wheel("demo", version) for version in versions}
    index.publish(*wheels.values())
    for version in yanked:
        index.api_json("PATCH", f"/files/{wheels[version].filename}", {"yanked": True})

    found = document(index, "/pypi/demo/json")

    assert found["info"]["version"] == latest
    assert sorted(found["releases"]) == sorted(versions)
    assert [file["filename"] for file in found["urls"]] == [wheels[latest].filename]


def test_each_version_lists_its_files(published: Index) -> None:
    found = document(published, "/pypi/demo/json")

    listed = published.files()
    files = {}
    for archive, kind, tag in (
        (FIRST, "bdist_wheel", "py3"),
        (WHEEL, "bdist_wheel", "py3"),
        (SDIST, "sdist", "source"),
    ):
        entry = listed[archive.filename]
        files[archive.filename] = {
            "filename": archive.filename,
            "packagetype": kind,
            "python_version": tag,
            "digests": {"sha256": archive.sha256},
            "md5_digest": None,
            "has_sig": False,
            "comment_text": None,
            "downloads": -1,
            "size": len(archive.data),
            "upload_time": entry["upload-time"].partition(".")[0],
            "upload_time_iso_8601": entry["upload-time"],
            "url": f"{PYPI}{published.path}/demo/{archive.filename}",
            "requires_python": entry.get("requires-python"),
            "yanked": False,
            "yanked_reason": None,
            "core-metadata": entry["core-metadata"],
        }
    latest = [files[WHEEL.filename], files[SDIST.filename]]
    assert found["releases"] == {"1.9": [files[FIRST.filename]], "1.10": latest}
    assert found["urls"] == latest


def test_the_document_of_a_version_lists_only_that_version(published: Index) -> None:
    found = document(published, "/pypi/demo/1.9/json")

    assert found["info"]["version"] == "1.9"
    assert found["info"]["summary"] is None
    assert found["info"]["classifiers"] == []
    assert [file["filename"] for file in found["urls"]] == [FIRST.filename]
    assert "releases" not in found


def test_a_version_is_described_by_the_file_that_was_uploaded_first(index: Index) -> None:
    metadata = core_metadata("demo", "2.0", metadata_version="2.2", more="Summary: first\n")
    index.publish(sdist("demo", "2.0", metadata=metadata))
    # The name of the wheel is before that of the sdist.
    index.publish(wheel("demo", "2.0", more="Summary: second\n"))
    assert document(index, "/pypi/demo/json")["info"]["summary"] == "first"


def test_a_url_of_the_document_can_be_downloaded(published: Index) -> None:
    (file,) = document(published, "/pypi/demo/1.9/json")["urls"]

    response = get(published, file["url"].removeprefix(PYPI))

    assert (response.status_code, response.content) == (200, FIRST.data)


def test_a_version_is_yanked_if_all_of_its_files_are(published: Index) -> None:
    def yanked() -> tuple[object, ...]:
        found = document(published, "/pypi/demo/1.10/json")
        info = found["info"]
        files = [(file["yanked"], file["yanked_reason"]) for file in found["urls"]]
        return info["yanked"], info["yanked_reason"], files

    published.api_json("PATCH", f"/files/{WHEEL.filename}", {"yanked": "broken"})
    assert yanked() == (False, "broken", [(True, "broken"), (False, None)])
    published.api_json("PATCH", f"/files/{SDIST.filename}", {"yanked": ""})
    assert yanked() == (True, "broken", [(True, "broken"), (True, None)])


@pytest.mark.parametrize("path", ["/pypi/other/json", "/pypi/demo/2.0/json", "/pypi/other/1/json"])
def test_a_missing_project_or_version_is_not_found(published: Index, path: str) -> None:
    response = get(published, path)

    assert response.status_code == 404
    assert published.name in response.json()["error"]


def test_a_file_with_further_digests_has_them_in_the_document(index: Index) -> None:
    index.set(dialect="pypi", rules="none")
    index.publish(FIRST)

    (file,) = document(index, "/pypi/demo/json")["urls"]

    assert file["digests"] == {
        "sha256": FIRST.sha256,
        "blake2b_256": FIRST.blake2_256,
        "md5": FIRST.md5,
    }


@pytest.mark.parametrize("filename", ["demo-1.0.whl", "demo-1.0-x.whl", "demo-1.0.txt"])
def test_a_file_with_any_name_is_in_the_document(server: Server, filename: str) -> None:
    index = server.repository(dialect="cloudrepo")
    assert index.upload(wheel().named(filename), name="demo").status_code == 200
    (file,) = document(index, "/pypi/demo/json")["urls"]
    assert (file["filename"], file["packagetype"]) == (filename, "sdist")
    index.api_json("DELETE")
