"""A repository at the URLs of an index with several hosts, as PyPI has them."""

from __future__ import annotations

import json
import re
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import JSON, Index, Server
from tests.support.raw import SECONDS

WEB, FILES, UPLOAD = "https://pypi.example", "https://files.example", "https://upload.example"
INDEX = {"upload": f"{UPLOAD}/legacy/", "web": WEB, "files": FILES}
ATTESTATIONS = json.dumps([{"version": 1, "envelope": {"statement": "e30="}}])


class Client:
    """A client whose requests go through the proxy of an impersonation."""

    def __init__(self, index: Index, folder: Path, body: dict[str, object]) -> None:
        made = index.api_json("POST", "/impersonations", body)
        authority = folder / "ca.pem"
        authority.write_text(made["ca"])
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.proxies = {"https": made["proxy"], "http": made["proxy"]}
        self.session.verify = str(authority)

    def get(self, url: str, **headers: str) -> requests.Response:
        return self.session.get(url, headers=headers, timeout=SECONDS, allow_redirects=False)


@pytest.fixture(params=["pypi", "modern"])
def index(server: Server, request: pytest.FixtureRequest) -> Index:
    index = server.repository(dialect=request.param, rules="none")
    assert index.upload(wheel(), attestations=ATTESTATIONS).status_code == 200
    return index


@pytest.fixture
def client(index: Index, tmp_path: Path) -> Iterator[Client]:
    client = Client(index, tmp_path, {"indexes": [INDEX]})
    yield client
    client.session.close()


def is_pypi(index: Index) -> bool:
    return bool(index.api_json("GET")["dialect"] == "pypi")


def test_each_part_of_the_index_is_at_its_own_url(index: Index, client: Client) -> None:
    found = {
        url: client.get(url).status_code
        for url in (
            f"{WEB}/simple/",
            f"{WEB}/simple/demo/",
            f"{WEB}/pypi/demo/json",
            f"{WEB}/integrity/demo/1.0/{wheel().filename}/provenance",
            f"{WEB}/demo/",
            f"{WEB}/",
            f"{FILES}/simple/",
            f"{UPLOAD}/simple/",
        )
    }
    assert list(found.values()) == [200, 200, 200, 200, 404, 404, 404, 404]
    journal = [entry["path"] for entry in index.journal()]
    assert f"{index.path}/pypi/demo/json" in journal


def test_the_links_of_all_pages_lead_to_the_file(index: Index, client: Client) -> None:
    root = client.get(f"{WEB}/simple/").text
    assert re.findall(r'href="([^"]*)"', root) == ["/simple/demo/"]
    page = f"{WEB}/simple/demo/"
    (href,) = re.findall(r'href="([^"#]*)', client.get(page).text)
    (listed,) = client.get(page, Accept=JSON).json()["files"]
    (described,) = client.get(f"{WEB}/pypi/demo/json").json()["urls"]
    urls = {urljoin(page, href), urljoin(page, listed["url"]), described["url"]}
    assert len(urls) == 1
    (url,) = urls
    if is_pypi(index):
        digest = wheel().blake2_256
        path = f"/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{wheel().filename}"
        assert url == FILES + path
    else:
        assert urlsplit(url).netloc == urlsplit(WEB).netloc
    assert client.get(url).content == wheel().data
    assert client.get(f"{url}.metadata").content == wheel().metadata


def test_pypis_rules_redirect_an_upload_url_without_its_slash(
    server: Server, tmp_path: Path
) -> None:
    index = server.repository(dialect="pypi")
    session = Client(index, tmp_path, {"indexes": [INDEX]}).session

    def upload(url: str, version: str = "1.0") -> requests.Response:
        form = encode(fields(wheel(version=version)))
        headers = {"Content-Type": form.content_type}
        return session.post(
            *(url, form.body),
            headers=headers,
            auth=index.auth,
            timeout=SECONDS,
            allow_redirects=False,
        )

    redirect = upload(f"{UPLOAD}/legacy")
    assert (redirect.status_code, redirect.headers["Location"]) == (308, f"{UPLOAD}/legacy/")
    assert redirect.reason.endswith("expected upload URL is /legacy/ (with a trailing slash)")
    assert index.get("/demo/").status_code == 404
    assert upload(f"{UPLOAD}/legacy/").status_code == 200
    # Without the rules, both URLs work.
    index.set(rules="none")
    assert upload(f"{UPLOAD}/legacy", "2.0").status_code == 200
    session.close()
    uploads = [entry for entry in index.journal() if entry["method"] == "POST"]
    assert [entry["status"] for entry in uploads] == [308, 200, 200]
    assert uploads[0]["rule"] == "upload-url"


@pytest.mark.parametrize(
    "method", ["list_packages_with_serial", "changelog_since_serial", "search"]
)
def test_a_call_of_the_xml_rpc_api_gets_a_fault_that_says_what_to_use(
    index: Index, client: Client, method: str
) -> None:
    call = xmlrpc.client.dumps((1,), method)
    for path in ("/pypi", "/pypi/"):
        response = client.session.post(WEB + path, call, timeout=SECONDS)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith("text/xml")
        with pytest.raises(xmlrpc.client.Fault, match="set api-method = simple") as raised:
            xmlrpc.client.loads(response.content)
        assert raised.value.faultCode == -32500
    assert [entry["path"] for entry in index.journal()][-2:] == [
        f"{index.path}/pypi",
        f"{index.path}/pypi/",
    ]


def test_pages_at_https_urls_have_provenance(index: Index, client: Client) -> None:
    page = f"{WEB}/simple/demo/"
    (listed,) = client.get(page, Accept=JSON).json()["files"]
    url = listed["provenance"]
    assert f'data-provenance="{url}"' in client.get(page).text
    if is_pypi(index):
        assert url == f"{WEB}/integrity/demo/1.0/{wheel().filename}/provenance"
    else:
        assert url.startswith(f"{WEB}/")
    provenance = client.get(url)
    assert provenance.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
    attestations = provenance.json()["attestation_bundles"][0]["attestations"]
    assert attestations == json.loads(ATTESTATIONS)


def test_pages_at_other_impersonated_https_urls_have_provenance_too(
    index: Index, tmp_path: Path
) -> None:
    client = Client(index, tmp_path, {"urls": ["https://a.example/x", "http://a.example/x"]})
    (listed,) = client.get("https://a.example/x/demo/", Accept=JSON).json()["files"]
    assert client.get(listed["provenance"]).status_code == 200
    (listed,) = client.get("http://a.example/x/demo/", Accept=JSON).json()["files"]
    assert "provenance" not in listed


def test_redirects_stay_at_the_impersonated_url(index: Index, client: Client) -> None:
    for path, location in (("/simple/Demo/", "/simple/demo/"), ("/simple", "/simple/")):
        response = client.get(WEB + path)
        if is_pypi(index):
            assert (response.status_code, response.headers["Location"]) == (301, location)
        else:
            assert response.status_code == 200


def test_the_json_names_the_urls_of_the_index(client: Client) -> None:
    info = client.get(f"{WEB}/pypi/demo/json").json()["info"]
    assert info["package_url"] == info["project_url"] == f"{WEB}/project/demo/"
    assert info["release_url"] == f"{WEB}/project/demo/1.0/"


@pytest.mark.parametrize("field", ["upload", "web", "files"])
def test_an_index_with_an_invalid_url_is_rejected(index: Index, field: str) -> None:
    response = index.api("POST", "/impersonations", {"indexes": [{**INDEX, field: "ftp://a/"}]})
    assert response.status_code == 400
    assert "'ftp://a/' is not an http or https URL" in response.json()["error"]
    missing = {name: url for name, url in INDEX.items() if name != field}
    assert index.api("POST", "/impersonations", {"indexes": [missing]}).status_code == 400
