"""The Repository Settings page."""

from __future__ import annotations

import pytest

from cloudrepo_server.specs.dialects import DIALECTS
from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser


def path_of(index: Index) -> str:
    return f"/portal/repositories/{index.name}/settings"


def test_the_form_shows_the_current_settings(browser: Browser, index: Index) -> None:
    fields = browser.get(path_of(index)).form().fields
    assert "overwrite_protection" not in fields
    assert fields["public"] == "no"
    assert fields["dialect"] == "modern"
    assert fields["rules"] == "default"
    assert fields["max_file_size"] == ""
    index.set(
        rules="none",
        overwrite_protection=True,
        public=True,
        dialect="cloudrepo",
        max_file_size=5 << 20,
    )
    page = browser.get(path_of(index))
    fields = page.form().fields
    assert fields["overwrite_protection"] == "on"
    assert fields["public"] == "yes"
    assert fields["dialect"] == "cloudrepo"
    assert fields["rules"] == "none"
    assert (fields["max_file_size"], fields["unit"]) == ("5", "MiB")
    assert f"{index.server.url}/public/repositories/{index.name}" in page.text


@pytest.mark.parametrize("rules", [None, "pypi", "none"])
def test_saving_an_unchanged_form_keeps_the_rules(
    browser: Browser, index: Index, rules: str | None
) -> None:
    index.set(rules=rules)
    before = index.api_json("GET")
    browser.submit(path_of(index))
    assert index.api_json("GET") == before


@pytest.mark.parametrize("dialect", ["modern", "pypi"])
def test_each_choice_of_rules_applies_to_the_next_upload(
    browser: Browser, index: Index, dialect: str
) -> None:
    # PyPI rejects local versions.
    local = wheel(version="1.0+local")
    accepted = {"default": dialect != "pypi", "pypi": False, "none": True}
    text = browser.get(path_of(index)).text
    assert "PyPI checks the names, the metadata and the archive of every upload." in text
    for rules, is_accepted in accepted.items():
        page = browser.submit(path_of(index), dialect=dialect, rules=rules)
        assert page.form(path_of(index)).fields["rules"] == rules
        assert index.api_json("GET")["rules"] == (None if rules == "default" else rules)
        assert index.upload(local).status_code == (200 if is_accepted else 400)
        index.api("DELETE", f"/files/{local.filename}")


def test_unknown_rules_are_shown_as_an_error(browser: Browser, index: Index) -> None:
    page = browser.submit(path_of(index), status=400, rules="strict")
    assert "Unknown rules 'strict'" in page.text
    assert index.api_json("GET")["rules"] is None


@pytest.mark.parametrize("size", [None, 0, 1, 1023, 1024, 1025, 50 << 20, 3 << 30])
def test_saving_an_unchanged_form_changes_nothing(
    browser: Browser, index: Index, size: int | None
) -> None:
    index.set(overwrite_protection=True, public=True, dialect="pypi", max_file_size=size)
    before = index.api_json("GET")
    page = browser.submit(path_of(index))
    assert "The settings were saved" in page.text
    assert index.api_json("GET") == before


def test_saving_keeps_settings_that_the_form_does_not_show(browser: Browser, index: Index) -> None:
    index.set(upstream=["https://index.example.com/simple"], upstream_strategy="best-version")
    browser.submit(path_of(index), overwrite_protection="on")
    after = index.api_json("GET")
    assert after["upstream"] == ["https://index.example.com/simple"]
    assert after["upstream_strategy"] == "best-version"


def test_the_host_of_files_is_shown_and_changed(browser: Browser, index: Index) -> None:
    fields = browser.get(path_of(index)).form().fields
    assert (fields["files"], fields["file_url_seconds"]) == ("default", "60")
    browser.submit(path_of(index), files="redirect", file_url_seconds="7.5")
    changed = index.api_json("GET")
    assert (changed["files"], changed["file_url_seconds"]) == ("redirect", 7.5)
    browser.submit(path_of(index))
    assert index.api_json("GET") == changed


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "1e9"])
def test_an_invalid_lifetime_of_signed_urls_is_an_error(
    browser: Browser, index: Index, seconds: str
) -> None:
    page = browser.submit(path_of(index), status=400, file_url_seconds=seconds)
    assert "seconds" in page.text
    assert index.api_json("GET")["file_url_seconds"] == 60


def test_switching_overwrite_protection_applies_to_the_next_request(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    page = browser.submit(path_of(index), overwrite_protection="on")
    assert "Protected" in page.text
    assert index.upload(wheel(module="x = 2\n")).status_code == 409
    page = browser.submit(path_of(index), overwrite_protection=None)
    assert "Protected" not in page.text
    assert index.upload(wheel(module="x = 2\n")).status_code == 200


def test_the_form_explains_overwrite_protection_on_and_off(browser: Browser, index: Index) -> None:
    text = browser.get(path_of(index)).text
    assert "On: uploads that would replace an existing file are rejected" in text
    assert "Off: an upload replaces an existing file with the same name, unless" in text


def test_anyone_can_read_a_public_repository(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    public = f"/public/repositories/{index.name}/demo/"
    assert index.server.request("GET", public).status_code == 404
    browser.submit(path_of(index), public="yes")
    assert index.server.request("GET", public).status_code == 200


def test_every_dialect_can_be_chosen(browser: Browser, index: Index) -> None:
    page = browser.get(path_of(index))
    choices = {each["value"] for each in page.all("input", name="dialect")}
    assert choices == set(DIALECTS)
    for name in DIALECTS:
        page = browser.submit(path_of(index), dialect=name)
        assert index.api_json("GET")["dialect"] == name


def test_an_invalid_setting_is_shown_again_and_changes_nothing(
    browser: Browser, index: Index
) -> None:
    before = index.api_json("GET")
    page = browser.submit(
        path_of(index), overwrite_protection="on", max_file_size="ten", status=400
    )
    assert "Invalid maximum file size 'ten': enter a whole number" in page.text
    assert page.form().fields["max_file_size"] == "ten"
    assert page.form().fields["overwrite_protection"] == "on"
    assert index.api_json("GET") == before


def test_the_settings_about_logins_can_be_changed(browser: Browser, index: Index) -> None:
    page = browser.submit(
        path_of(index),
        logins="any",
        anonymous="read",
        private_projects="acme-*, Secret",
        no_login_status="404",
        no_access_status="401",
    )
    settings = index.api_json("GET")
    assert (settings["logins"], settings["anonymous"]) == ("any", "read")
    assert settings["private_projects"] == ["acme-*", "Secret"]
    assert (settings["no_login_status"], settings["no_access_status"]) == (404, 401)
    assert page.form(path_of(index)).fields["private_projects"] == "acme-* Secret"
    browser.submit(path_of(index))
    assert index.api_json("GET") == settings


@pytest.mark.parametrize("field", ["logins", "anonymous", "no_login_status"])
def test_an_unknown_choice_about_logins_is_rejected(
    browser: Browser, index: Index, field: str
) -> None:
    page = browser.submit(path_of(index), status=400, **{field: "klingon"})
    assert "'klingon'" in page.text


def test_the_sections_are_linked_above_the_form(browser: Browser, index: Index) -> None:
    index.api_json("POST", "/faults", {"kind": "status", "status": 503})
    page = browser.get(f"/portal/repositories/{index.name}/settings")
    sections = "Upstreams (0) Faults (1) Impersonations (0) Tokens Trusted publishers (0) Delete "
    assert page.text.index(sections) < page.text.index("Overwrite Protection")
    for below in ("upstreams", "faults", "impersonations", "publishers"):
        assert page.all("a", href=f"/portal/repositories/{index.name}/{below}")
