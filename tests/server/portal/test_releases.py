"""The page of a release."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from pathlib import Path

import pytest

from tests.support.archives import Archive, core_metadata, sdist, wheel, zipped
from tests.support.index import Index, Server
from tests.support.platforms import NEEDS_MARKDOWN, needs_posix
from tests.support.portal.browser import Browser, Page
from tests.support.portal.connection import PACKAGE, WHEEL, assert_installed
from tests.support.portal.workstation import Workstation
from tests.support.server_fixtures import StartServer

METADATA = """\
Summary: Tools for a demonstration
Requires-Dist: requests>=2.30
Requires-Dist: Other.Project[fast] (>=1) ; python_version < "3.12"
Requires-Dist: rich ; extra == "color"
Requires-Dist: pywin32 ; sys_platform == "win32" and extra == "color"
Requires-Dist: direct @ https://example.com/direct.zip ; extra == 'undeclared'
Requires-Dist: this is (not valid
Provides-Extra: color
Provides-Extra: empty
License-Expression: MIT
License-File: LICENSE
Project-URL: Source, https://example.com/source
Project-URL: Bad, javascript:alert(1)
Project-URL: Fake, https://example.com@evil.example/
Home-page: https://example.com/home
Author-email: Ada <ada@example.com>
Keywords: one,two
Classifier: Topic :: Utilities
Classifier: Topic :: Internet
Description-Content-Type: text/markdown

# Demo

Some *words*.
"""
ENTRY_POINTS = "[console_scripts]\ndemo = demo:main\n[demo.plugins]\nPlug = demo.plug:Plug\n"


def rich_wheel(version: str = "1.0", entry_points: bytes = ENTRY_POINTS.encode()) -> Archive:
    """Return a wheel with all kinds of metadata."""
    info = f"demo-{version}.dist-info"
    metadata = core_metadata(
        "demo", version, metadata_version="2.4", requires_python=">=3.9", more=METADATA
    )
    files = {
        "demo.py": b"x = 1\n",
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": entry_points,
        f"{info}/licenses/LICENSE": b"MIT License\n",
        f"{info}/RECORD": b"",
    }
    return Archive(f"demo-{version}-py3-none-any.whl", zipped(files), metadata)


def release_page(browser: Browser, index: Index, version: str = "1.0", query: str = "") -> Page:
    return browser.get(f"/portal/repositories/{index.name}/projects/demo/releases/{version}{query}")


@pytest.fixture
def page(browser: Browser, index: Index) -> Page:
    """The page of a release with all kinds of metadata."""
    index.publish(rich_wheel(), sdist(), wheel("other-project"))
    return release_page(browser, index)


@NEEDS_MARKDOWN
def test_a_release_shows_its_metadata(page: Page) -> None:
    assert "demo 1.0 Latest" in page.text
    for text in (
        "Tools for a demonstration",
        "License MIT",
        "License files LICENSE",
        "Requires Python >=3.9",
        "Author Ada <ada@example.com>",
        "Extras color empty",
        "Wheel tags py3-none-any",
        "Keywords one, two",
        "Topic Utilities Internet",
        "Metadata version 2.4",
    ):
        assert text in page.text
    assert "<em>words</em>" in page.response.text


def test_dependencies_are_grouped_by_extra(page: Page) -> None:
    text = page.text.replace(" not in this repository", "").replace(" in this repository", "")
    assert 'requests >=2.30 Other.Project [fast]>=1 if python_version < "3.12"' in text
    assert "this is (not valid" in text
    assert 'Extra color rich pywin32 if sys_platform == "win32"' in text
    assert "Extra empty None" in text
    assert "Extra undeclared direct @ https://example.com/direct.zip" in text


def test_a_release_without_dependencies_says_so(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    assert "Dependencies None" in release_page(browser, index).text
    page = browser.get(f"/portal/repositories/{index.name}/projects/demo")
    assert "Dependencies of 1.0 None" in page.text


def test_dependencies_say_whether_the_repository_has_them(browser: Browser, server: Server) -> None:
    front = server.repository()
    requires = "Requires-Dist: present>=1\nRequires-Dist: absent\n"
    front.publish(wheel(metadata=core_metadata("demo", "1.0", more=requires)), wheel("present"))
    project = f"/portal/repositories/{front.name}/projects/demo"
    for path in (project, f"{project}/releases/1.0"):
        page = browser.get(path)
        assert "present >=1 in this repository absent not in this repository" in page.text
        assert page.all("a", href=f"/portal/repositories/{front.name}/projects/present")
        assert "Only this repository is searched" not in page.text
    front.set(upstream=[server.repository().name])
    assert "Only this repository is searched, not its upstreams" in browser.get(project).text


def test_a_dependency_in_the_same_repository_is_a_link(page: Page) -> None:
    links = [each["href"] for each in page.all("a")]
    assert [each for each in links if each.endswith("/projects/other-project")]
    assert not [each for each in links if each.endswith("/projects/requests")]


def test_only_safe_urls_are_links(page: Page) -> None:
    links = {each["href"]: each for each in page.all("a") if "://" in each["href"]}
    assert links.keys() == {"https://example.com/source", "https://example.com/home"}
    assert all(each["rel"] == "noopener noreferrer nofollow" for each in links.values())
    assert "Bad: javascript:alert(1)" in page.text
    assert "Fake: https://example.com@evil.example/" in page.text


def test_entry_points_are_read_from_the_wheel(page: Page) -> None:
    assert "console_scripts demo demo:main" in page.text
    assert "demo.plugins Plug demo.plug:Plug" in page.text


@pytest.mark.parametrize(
    ("entry_points", "text"),
    [
        (b"no section = x\n", "The entry points cannot be read: File contains no section headers."),
        (b"[console_scripts]\nx = \xff\n", "The entry points cannot be read: it is not UTF-8"),
        (b"[a]\nx = 1\n[a]\n", "The entry points cannot be read: "),
        (b"[a]\n" + b"x" * (64 << 10), "The entry points cannot be read: they are larger than"),
        (
            b"[a]\n" + b"".join(b"x%d = y\n" % number for number in range(350)),
            "50 more: see entry_points.txt in the wheel.",
        ),
    ],
    ids=["no section", "not UTF-8", "duplicate", "large", "many"],
)
def test_unusual_entry_points_are_described(
    browser: Browser, index: Index, entry_points: bytes, text: str
) -> None:
    index.publish(rich_wheel(entry_points=entry_points))
    assert text in release_page(browser, index).text


def test_install_commands_name_the_release(page: Page, index: Index) -> None:
    for command in (
        f"YOUR-PASSPHRASE@{index.url.partition('://')[2]} demo==1.0",
        "uv pip install demo==1.0",
        "poetry add --source cloudrepo demo==1.0",
        "pdm add demo==1.0",
        f"--hash=sha256:{rich_wheel().sha256}",
        f"--hash=sha256:{sdist().sha256}",
    ):
        assert command in page.text


@needs_posix("POSIX shell")
def test_pip_installs_a_release_from_the_requirements_file_with_hashes(
    own_server: Server, tmp_path: Path, app_data: Path
) -> None:
    index = own_server.repository()
    index.add(WHEEL)
    browser = Browser(own_server)
    browser.sign_in(*own_server.admin)
    path = f"/portal/repositories/{index.name}/projects/{PACKAGE}/releases/1.0"
    found = re.findall(r"<pre [^>]*><code>(.*?)</code>", browser.get(path).response.text, re.DOTALL)
    browser.close()
    workstation = Workstation(tmp_path, index.password, PACKAGE, app_data)
    workstation.make_venv()
    workstation.write("requirements.txt", html.unescape(found[-1]))
    workstation.run("pip install --require-hashes -r requirements.txt")
    assert_installed(index, workstation)


def test_every_file_has_its_digests(page: Page) -> None:
    for archive in (rich_wheel(), sdist()):
        assert f"SHA-256 {archive.sha256}" in page.text
    assert "SHA-256 of the core metadata" in page.text


def test_the_provenance_is_shown_as_the_server_has_it(browser: Browser, index: Index) -> None:
    statement = b64encode(json.dumps({"predicateType": "https://example.com/v1"}).encode())
    attestations = [{"version": 1, "envelope": {"statement": statement.decode()}}]
    response = index.upload(wheel(), attestations=json.dumps(attestations))
    assert response.status_code == 200
    page = release_page(browser, index)
    assert "Attested" in page.text
    assert "Publisher not verified Attestations https://example.com/v1" in page.text


def test_an_old_sdist_shows_the_metadata_that_installers_do_not_get(
    browser: Browser, index: Index
) -> None:
    metadata = core_metadata("demo", "1.0", metadata_version="1.1", more="Summary: An old one\n")
    index.publish(sdist(metadata=metadata))
    page = release_page(browser, index)
    assert "An old one" in page.text
    raw = browser.get(f"/portal/repositories/{index.name}/files/{sdist().filename}/metadata")
    assert "Installers do not get these metadata" in raw.text
    assert "Summary: An old one" in raw.text


def test_the_core_metadata_of_each_file_are_shown_as_they_are(
    browser: Browser, index: Index
) -> None:
    index.publish(rich_wheel())
    path = f"/portal/repositories/{index.name}/files/{rich_wheel().filename}/metadata"
    page = browser.get(path)
    assert "Requires-Dist: this is (not valid" in page.text
    assert "Project-URL: Bad, javascript:alert(1)" in page.text


def test_a_release_is_found_by_any_spelling_of_its_version(browser: Browser, index: Index) -> None:
    index.publish(wheel(version="1.0"))
    assert "demo 1.0" in release_page(browser, index, "1.0.0").text
    page = browser.get(f"/portal/repositories/{index.name}/projects/demo/releases/2.0", status=404)
    assert "The release 2.0 of the project demo was not found" in page.text


def test_an_old_or_yanked_release_says_so(browser: Browser, index: Index) -> None:
    index.publish(wheel(version="1.0"), wheel(version="2.0"))
    assert "An installer chooses another version: 2.0" in release_page(browser, index).text
    index.api_json("PATCH", f"/files/{wheel().filename}", {"yanked": "Broken."})
    assert "This release is yanked: Broken. Installers" in release_page(browser, index).text


def test_a_release_links_to_the_comparison_with_the_one_before(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel(version="1.0"), wheel(version="1.1"), wheel(version="2.0"))
    assert "Compare with 1.1" in release_page(browser, index, "2.0").text
    assert "Compare with" not in release_page(browser, index, "1.0").text


def test_many_dependencies_and_classifiers_are_cut(browser: Browser, index: Index) -> None:
    lines = "".join(f"Requires-Dist: needed-{number}\n" for number in range(310))
    lines += "".join(f"Classifier: A :: {number}\n" for number in range(305))
    index.publish(wheel(metadata=core_metadata("demo", "1.0", more=lines)))
    page = release_page(browser, index)
    assert "needed-299" in page.text
    assert "needed-300" not in page.text
    assert "10 lines more: see the core metadata." in page.text
    assert "5 classifiers more: see the core metadata." in page.text


@pytest.mark.parametrize(
    "requirement",
    [
        "a" + "(" * 5000,
        "a; " + "(" * 5000 + "os_name == 'x'",
        "a[" + "b," * 5000,
        "\u202ea",
        "a" * 9999,
    ],
)
def test_a_hostile_dependency_is_shown_as_text(
    browser: Browser, index: Index, requirement: str
) -> None:
    more = f"Requires-Dist: {requirement}\n"
    index.publish(wheel(metadata=core_metadata("demo", "1.0", more=more)))
    page = release_page(browser, index)
    assert "Dependencies" in page.text
    assert "\u202e" not in page.response.text


def test_a_release_of_files_of_any_type_is_shown(browser: Browser, index: Index) -> None:
    index.set(dialect="cloudrepo")
    index.publish(sdist(), Archive("demo-1.0-py3-none-any.whl", b"not a zip file"))
    page = release_page(browser, index)
    assert "The entry points cannot be read" in page.text


def test_projects_of_two_repositories_with_the_same_revision_keep_their_own_releases(
    start_server: StartServer, tmp_path: Path
) -> None:
    # A data folder whose documents were copied or edited by hand can look like this.
    data = tmp_path / "data"
    server = Server(start_server("--data", data))
    versions = {"first": ["1.0", "1.1"], "second": ["2.0"]}
    for name, published in versions.items():
        server.repository(name).publish(*(wheel(version=version) for version in published))
    server.close()
    assert server.process.stop() == 0
    documents = list((data / "store").glob("projects/*/p-demo.json"))
    assert len(documents) == len(versions)
    for document in documents:
        document.write_text(json.dumps({**json.loads(document.read_text()), "revision": "same"}))

    server = Server(start_server("--data", data))
    browser = Browser(server)
    browser.sign_in(*server.admin)
    for name, published in versions.items():
        page = browser.get(f"/portal/repositories/{name}/projects/demo")
        shown = [each["aria-label"] for each in page.all("li", class_="row")]
        assert shown == [f"Release {version}" for version in reversed(published)]
    browser.close()
    server.close()
