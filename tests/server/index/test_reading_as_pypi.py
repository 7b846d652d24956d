"""Reads in the dialect `pypi`: cacheable pages, redirects, PyPI's JSON and integrity APIs."""

from __future__ import annotations

import hashlib
import json
from urllib.parse import urljoin, urlsplit

import pytest

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.archives import sdist, wheel
from tests.support.dialects import REGISTRIES
from tests.support.index import HTML, JSON, Index, Server

OTHERS = [dialect for dialect in REGISTRIES if dialect != "pypi"]
PAGES = ("/", "/simple/", "/demo/", "/simple/demo/")
ATTESTATIONS = json.dumps([{"version": 1, "envelope": {"statement": "e30="}}])
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
METADATA = """\
Summary: A demonstration
Keywords: one,two
Author: Ada
License-Expression: MIT
License-File: LICENSE
Home-page: https://home.example/
Project-URL: Docs, https://docs.example/
Platform: any
Classifier: Programming Language :: Python :: 3
Requires-Dist: base>=1
Provides-Extra: fast
Dynamic: Version
Requires-Python: >=3.8
Description-Content-Type: text/markdown

# Demo
"""


@pytest.fixture
def pypi(server: Server) -> Index:
    # The files of these tests need not be ones that PyPI accepts.
    return server.repository(dialect="pypi", rules="none")


# Caching


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("accept", ["text/html", HTML, JSON])
def test_pages_may_be_used_for_ten_minutes(pypi: Index, path: str, accept: str) -> None:
    pypi.publish(wheel())
    response = pypi.get(path, Accept=accept)
    assert response.headers["Cache-Control"] == "max-age=600, public"
    assert "Accept" in response.headers["Vary"].split(", ")
    again = pypi.get(path, Accept=accept, If_None_Match=response.headers["ETag"])
    assert again.status_code == 304
    for name in ("Cache-Control", "Vary", "ETag", "X-PyPI-Last-Serial"):
        assert again.headers[name] == response.headers[name]


def test_errors_and_files_at_their_names_are_not_cacheable(pypi: Index) -> None:
    pypi.publish(wheel())
    assert "Cache-Control" not in pypi.get("/missing/").headers
    assert pypi.file(wheel()).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("dialect", OTHERS)
def test_other_dialects_have_no_cacheable_pages_or_serials_and_their_own_redirects(
    server: Server, dialect: str
) -> None:
    index = server.repository(dialect=dialect)
    index.publish(wheel("De.mo"))
    redirects = {"devpi": 302, "pypiserver": 301}
    has_list = DIALECTS[dialect].lists_projects
    for path in ("/simple", "/simple/De.mo", "/De.mo/")[0 if has_list else 1 :]:
        response = index.get(path)
        assert response.status_code == redirects.get(dialect, 200)
        if dialect in redirects:
            assert response.headers["Location"].endswith(
                path.rstrip("/").replace("De.mo", "de-mo") + "/"
            )
    for path in (page for page in PAGES if has_list or "demo" in page):
        response = index.get(path.replace("demo", "de-mo"))
        assert (response.status_code, response.headers["Cache-Control"]) == (200, "max-age=0")
        assert "X-PyPI-Last-Serial" not in response.headers
    for path in ("/pypi/de-mo/json", "/integrity/de-mo/1.0/x/provenance", "/packages/a/b/c/x"):
        assert index.get(path).status_code == 404
    for path in ("/", "/de-mo/"):
        assert "_last-serial" not in index.get(path, Accept=JSON).text


# Redirects


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/simple/De.Mo/", "/simple/de-mo/"),
        ("/simple/De_Mo", "/simple/de-mo/"),
        ("/simple/de-mo", "/simple/de-mo/"),
        ("/simple/de-mo?format=text/html", "/simple/de-mo/?format=text/html"),
        ("/De.Mo/?format=text/html", "/de-mo/?format=text/html"),
        ("/de-mo", "/de-mo/"),
        ("/simple", "/simple/"),
        ("/pypi/De.Mo/json", "/pypi/de-mo/json"),
        ("/pypi/De.Mo/1.0/json", "/pypi/de-mo/1.0/json"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_spellings_of_a_url_are_redirected(
    pypi: Index, method: str, path: str, location: str
) -> None:
    pypi.publish(wheel("de_mo"))
    response = pypi.request(method, path)
    assert (response.status_code, response.headers["Location"]) == (301, pypi.path + location)
    followed = pypi.server.request("GET", response.headers["Location"], auth=pypi.auth)
    assert followed.status_code == 200


def test_a_project_of_an_upstream_is_redirected_too(server: Server, index: Index) -> None:
    index.publish(wheel("de_mo"))
    pypi = server.repository(dialect="pypi", upstream=[index.name])
    response = pypi.get("/simple/De.Mo/")
    location = f"{pypi.path}/simple/de-mo/"
    assert (response.status_code, response.headers["Location"]) == (301, location)


def test_a_missing_project_and_the_repository_itself_are_not_redirected(pypi: Index) -> None:
    assert pypi.get("/simple/Missing").status_code == 404
    assert pypi.get("").status_code == 200


# JSON


def test_the_json_of_a_project_has_all_fields_of_pypi(pypi: Index) -> None:
    archive = wheel(metadata_version="2.4", more=METADATA)
    metadata_sha256 = hashlib.sha256(archive.metadata).hexdigest()
    pypi.publish(archive)
    response = pypi.get("/pypi/demo/json")
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "max-age=900, public"
    found = response.json()
    url = f"{pypi.url}/demo/{archive.filename}"
    upload_time = found["urls"][0].pop("upload_time_iso_8601")
    assert upload_time.startswith(found["urls"][0].pop("upload_time") + ".")
    assert found.pop("releases")["1.0"][0].items() >= found["urls"][0].items()
    assert found == {
        "info": {
            "author": "Ada",
            "author_email": None,
            "bugtrack_url": None,
            "classifiers": ["Programming Language :: Python :: 3"],
            "description": "# Demo\n",
            "description_content_type": "text/markdown",
            "docs_url": None,
            "download_url": None,
            "downloads": {"last_day": -1, "last_month": -1, "last_week": -1},
            "dynamic": ["Version"],
            "home_page": "https://home.example/",
            "keywords": "one, two",
            "license": None,
            "license_expression": "MIT",
            "license_files": ["LICENSE"],
            "maintainer": None,
            "maintainer_email": None,
            "name": "demo",
            "package_url": f"{pypi.url}/demo/",
            "platform": "any",
            "project_url": f"{pypi.url}/demo/",
            "project_urls": {"Homepage": "https://home.example/", "Docs": "https://docs.example/"},
            "provides_extra": ["fast"],
            "release_url": f"{pypi.url}/demo/",
            "requires_dist": ["base>=1"],
            "requires_python": ">=3.8",
            "summary": "A demonstration",
            "version": "1.0",
            "yanked": False,
            "yanked_reason": None,
        },
        "last_serial": int(response.headers["X-PyPI-Last-Serial"]),
        "ownership": {"organization": pypi.server.organization, "roles": []},
        "urls": [
            {
                "comment_text": None,
                "core-metadata": {"sha256": metadata_sha256},
                "digests": {
                    "blake2b_256": archive.blake2_256,
                    "md5": archive.md5,
                    "sha256": archive.sha256,
                },
                "downloads": -1,
                "filename": archive.filename,
                "has_sig": False,
                "md5_digest": archive.md5,
                "packagetype": "bdist_wheel",
                "python_version": "py3",
                "requires_python": ">=3.8",
                "size": len(archive.data),
                "url": url,
                "yanked": False,
                "yanked_reason": None,
            }
        ],
        "vulnerabilities": [],
    }
    assert pypi.linked(url).content == archive.data


def test_the_json_of_a_version_has_no_other_releases(pypi: Index) -> None:
    pypi.publish(wheel(), sdist(), wheel(version="2.0"))
    for path in ("/pypi/demo/1.0/json", "/pypi/demo/1/json", "/pypi/demo/1.0/json/"):
        found = pypi.get(path).json()
        assert found["info"]["version"] == "1.0"
        assert [each["packagetype"] for each in found["urls"]] == ["bdist_wheel", "sdist"]
        assert "releases" not in found
    assert list(pypi.get("/pypi/demo/json").json()["releases"]) == ["1.0", "2.0"]
    for path in ("/pypi/demo/3.0/json", "/pypi/missing/json", "/pypi/demo/json/json/json"):
        assert pypi.get(path).status_code == 404


def test_the_latest_version_is_not_yanked_and_no_pre_release(pypi: Index) -> None:
    def latest() -> tuple[str, bool, str | None]:
        info = pypi.get("/pypi/demo/json").json()["info"]
        return info["version"], info["yanked"], info["yanked_reason"]

    files = [wheel(version=version) for version in ("1.0", "2.0", "3.0rc1")]
    pypi.publish(*files)
    assert latest() == ("2.0", False, None)
    for archive, expected in zip(reversed(files), ("2.0", "1.0", "3.0rc1"), strict=True):
        pypi.api_json("PATCH", f"/files/{archive.filename}", {"yanked": "broken"})
        assert latest()[0] == ("2.0" if archive is files[0] else expected)
    assert latest() == ("2.0", True, "broken")


def test_a_quarantined_project_has_no_json(pypi: Index) -> None:
    pypi.publish(wheel())
    pypi.api_json("PATCH", "/projects/demo", {"status": "quarantined"})
    assert pypi.get("/pypi/demo/json").status_code == 404


# The integrity API


def test_the_integrity_api_returns_the_provenance_of_a_file(pypi: Index) -> None:
    archive, plain = wheel(), wheel(version="2.0")
    assert pypi.upload(archive, attestations=ATTESTATIONS).status_code == 200
    pypi.publish(plain)
    path = f"/integrity/Demo/1.0/{archive.filename}/provenance"
    response = pypi.get(path)
    assert response.headers["Content-Type"] == INTEGRITY
    assert response.headers["Cache-Control"] == "max-age=600, public"
    attestations = response.json()["attestation_bundles"][0]["attestations"]
    assert attestations == json.loads(ATTESTATIONS)
    for accept, content_type in (("application/json", "application/json"), (INTEGRITY, INTEGRITY)):
        assert pypi.get(path, Accept=accept).headers["Content-Type"] == content_type
    assert pypi.get(path, Accept="text/html").status_code == 406
    assert pypi.get(path, Accept="text").status_code == 200
    for missing in (
        path.replace("/1.0/", "/2.0/"),
        f"/integrity/demo/2.0/{plain.filename}/provenance",
        path + "/",
        "/integrity/missing/1.0/x.whl/provenance",
    ):
        assert pypi.get(missing).status_code == 404


@pytest.mark.parametrize("sign", ["", "1.", "1+"])
def test_a_long_version_in_a_path_is_not_found(pypi: Index, sign: str) -> None:
    """Python converts no text of more than 4,300 digits to an integer."""
    pypi.publish(wheel())
    version = sign + "9" * 5000
    for path in (
        f"/pypi/demo/{version}/json",
        f"/integrity/demo/{version}/{wheel().filename}/provenance",
    ):
        assert pypi.get(path).status_code == 404


# The paths of files


def test_a_file_is_at_the_path_of_its_digest_for_ever(pypi: Index) -> None:
    archives = [wheel(), sdist(), sdist("a-1", "2", filename="a-1-2.tar.gz")]
    for archive, name in zip(archives, ("demo", "demo", "a-1"), strict=True):
        assert pypi.upload(archive, name=name, version=None).status_code == 200
        digest = archive.blake2_256
        path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{archive.filename}"
        response = pypi.get(path)
        assert response.content == archive.data
        assert response.headers["Cache-Control"] == "max-age=365000000, immutable, public"
        for wrong in (path.replace(digest[4:], "0" * 60), path + "/", path + ".asc"):
            assert pypi.get(wrong).status_code == 404
    digest = archives[0].blake2_256
    path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{archives[0].filename}.metadata"
    assert pypi.get(path).content == archives[0].metadata


def test_the_apis_of_pypi_need_the_permissions_of_pages(pypi: Index, server: Server) -> None:
    pypi.publish(wheel())
    digest = wheel().blake2_256
    for path in (
        "/pypi/demo/json",
        f"/integrity/demo/1.0/{wheel().filename}/provenance",
        f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{wheel().filename}",
    ):
        assert pypi.request("GET", path, auth=None).status_code == 401
        assert server.request("GET", f"/public{pypi.path}{path}").status_code == 404
        pypi.set(public=True)
        expected = 404 if "integrity" in path else 200
        assert server.request("GET", f"/public{pypi.path}{path}").status_code == expected
        pypi.set(public=False)


def test_a_stale_page_fault_also_returns_the_old_json_and_serials(pypi: Index) -> None:
    pypi.publish(wheel())
    before = [pypi.get(path, Accept=JSON) for path in ("/", "/demo/")]
    json_before = pypi.get("/pypi/demo/json").json()
    pypi.api_json("POST", "/faults", {"kind": "stale-page"})
    pypi.publish(wheel(version="2.0"), wheel("other"))
    for path, old in zip(("/", "/demo/"), before, strict=True):
        stale = pypi.get(path, Accept=JSON)
        assert stale.content == old.content
        assert stale.headers["X-PyPI-Last-Serial"] == old.headers["X-PyPI-Last-Serial"]
    assert pypi.get("/pypi/demo/json").json() == json_before


def test_links_of_pages_lead_to_the_files(pypi: Index) -> None:
    archive = wheel("simple")
    pypi.publish(archive)
    page = urlsplit(urljoin(pypi.url + "/", "simple/simple/")).path.removeprefix(pypi.path)
    (file,) = pypi.json(page)["files"]
    assert pypi.linked(file["url"], page).content == archive.data
