"""The page of a repository's impersonations."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from cloudrepo_server.clients.public_indexes import PUBLIC_INDEXES, public_index
from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser, secret_of
from tests.support.proxy_client import ProxyClient


def test_impersonations_are_listed_and_removed(browser: Browser, index: Index) -> None:
    path = f"/portal/repositories/{index.name}/impersonations"
    assert "No impersonations." in browser.get(path).text
    urls = ["http://packages.example/simple", "http://[2001:db8::1]:8080/x"]
    created = index.api_json(
        "POST", "/impersonations", {"urls": urls, "allow": ["b.example", "a.example"]}
    )
    blocked = index.api_json("POST", "/impersonations", {})
    other = index.server.repository()
    other.api_json("POST", "/impersonations", {"urls": ["http://other.example/"]})
    settings = browser.get(f"/portal/repositories/{index.name}/settings")
    assert "Impersonations (2)" in settings.text
    page = browser.get(path)
    for expected in (*urls, "blocks every other host except a.example, b.example"):
        assert expected in page.text
    assert "serves no URL and only blocks hosts blocks every host" in page.text
    assert "other.example" not in page.text
    for impersonation in (created, blocked):
        secret = impersonation["proxy"].partition("@")[0].rpartition(":")[2]
        assert secret not in page.response.text
    page = browser.submit(path, f"{path}/{created['id']}/remove")
    assert "The impersonation was removed" in page.text
    assert created["id"] not in page.text
    assert blocked["id"] in page.text
    token = page.sign_out.fields
    assert browser.request("POST", f"{path}/x/remove", data=token).status_code == 404


def test_an_impersonation_is_created_and_serves_the_repository(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    path = f"/portal/repositories/{index.name}/impersonations"
    url = "http://packages.example/simple"
    page = browser.submit(path, path, {"urls": f" {url} \r\n", "allow": "files.example"})
    assert page.path == path
    assert "The impersonation was created." in page.text
    assert url in page.text
    assert "files.example" in page.text
    proxy = secret_of(page)
    client = ProxyClient(urlsplit(proxy).username or "", proxy)
    with client.connect() as connection:
        connection.send(client.request(f"GET {url}/demo/ HTTP/1.1"))
        assert connection.read_response().status == 200
    # The URL of the proxy has a password, so it is shown once.
    assert proxy not in browser.get(path).response.text


@pytest.mark.parametrize("name", PUBLIC_INDEXES)
def test_an_index_is_impersonated_by_its_name(browser: Browser, index: Index, name: str) -> None:
    path = f"/portal/repositories/{index.name}/impersonations"
    page = browser.submit(path, path, {name: "on"})
    urls = public_index(name)
    for url in (urls.upload.rstrip("/"), f"{urls.web}/simple", f"{urls.files}/packages"):
        assert url in page.text


def test_the_certificate_for_https_urls_is_offered(browser: Browser, index: Index) -> None:
    path = f"/portal/repositories/{index.name}/impersonations"
    (link,) = [each["href"] for each in browser.get(path).all("a") if "download" in each]
    created = index.api_json("POST", "/impersonations", {"urls": ["https://packages.example/"]})
    assert browser.request("GET", link).text == created["ca"]
    anonymous = Browser(index.server)
    assert anonymous.get(link).path == "/portal/sign-in"
    anonymous.close()


@pytest.mark.parametrize(
    ("url", "host"), [("ftp://a.example", ""), ("https://my_index.example/", ""), ("", "a b")]
)
def test_what_the_admin_api_rejects_is_rejected(
    browser: Browser, index: Index, url: str, host: str
) -> None:
    path = f"/portal/repositories/{index.name}/impersonations"
    body = {"urls": [url] if url else [], "allow": [host] if host else []}
    error = index.api("POST", "/impersonations", body)
    assert error.status_code == 400
    page = browser.submit(path, path, {"urls": url, "allow": host}, status=400)
    assert error.json()["message"] in page.text
    assert "No impersonations." in page.text


def test_too_many_urls_are_rejected(browser: Browser, index: Index) -> None:
    path = f"/portal/repositories/{index.name}/impersonations"
    urls = "\r\n".join(f"http://h{number}.example/" for number in range(101))
    page = browser.submit(path, path, {"urls": urls}, status=400)
    assert "Enter at most 100 lines." in page.text


def test_the_settings_name_the_pytest_session(browser: Browser, index: Index) -> None:
    name = f"{index.name}-of-a-session"
    index.server.api_json("POST", "/repositories", {"name": name, "run": "run-1234"})
    text = browser.get(f"/portal/repositories/{name}/settings").text
    assert "belongs to the pytest session run-1234" in text
    text = browser.get(f"/portal/repositories/{index.name}/settings").text
    assert "belongs to no pytest session" in text
