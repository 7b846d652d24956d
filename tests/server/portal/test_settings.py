from __future__ import annotations

import pytest

from cloudrepo_server.specs.dialect import DIALECTS
from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser


def path_of(index: Index) -> str:
    return f"/portal/repositories/{index.name}/settings"


def test_the_form_shows_the_settings_as_they_are(browser: Browser, index: Index) -> None:
    fields = browser.get(path_of(index)).form().fields
    assert "overwrite_protection" not in fields
    assert fields["public"] == "no"
    assert fields["dialect"] == "modern"
    assert fields["largest"] == ""
    index.set(overwrite_protection=True, public=True, dialect="cloudrepo", max_file_size=5 << 20)
    page = browser.get(path_of(index))
    fields = page.form().fields
    assert fields["overwrite_protection"] == "on"
    assert fields["public"] == "yes"
    assert fields["dialect"] == "cloudrepo"
    assert (fields["largest"], fields["unit"]) == ("5", "MiB")
    assert f"{index.server.url}/public/repositories/{index.name}" in page.text


@pytest.mark.parametrize("size", [None, 0, 1, 1023, 1024, 1025, 50 << 20, 3 << 30])
def test_saving_without_a_change_changes_nothing(
    browser: Browser, index: Index, size: int | None
) -> None:
    index.set(overwrite_protection=True, public=True, dialect="pypi", max_file_size=size)
    before = index.done("GET")
    page = browser.submit(path_of(index))
    assert "The settings were saved" in page.text
    assert index.done("GET") == before


def test_what_the_form_does_not_show_stays(browser: Browser, index: Index) -> None:
    index.set(upstream=["https://index.example.com/simple"], upstream_strategy="best-version")
    browser.submit(path_of(index), overwrite_protection="on")
    after = index.done("GET")
    assert after["upstream"] == ["https://index.example.com/simple"]
    assert after["upstream_strategy"] == "best-version"


def test_switching_protection_counts_from_the_next_request_on(
    browser: Browser, index: Index
) -> None:
    index.publish(wheel())
    page = browser.submit(path_of(index), overwrite_protection="on")
    assert "Protected" in page.text
    assert index.upload(wheel(module="x = 2\n")).status_code == 409
    page = browser.submit(path_of(index), overwrite_protection=None)
    assert "Protected" not in page.text
    assert index.upload(wheel(module="x = 2\n")).status_code == 200


def test_both_meanings_of_protection_are_told(browser: Browser, index: Index) -> None:
    text = browser.get(path_of(index)).text
    assert "On: a file name that is taken stays taken." in text
    assert "Off: an upload under a name that is taken replaces the file that was there." in text


def test_a_public_repository_is_read_by_anybody(browser: Browser, index: Index) -> None:
    index.publish(wheel())
    public = f"/public/repositories/{index.name}/demo/"
    assert index.server.request("GET", public).status_code == 404
    browser.submit(path_of(index), public="yes")
    assert index.server.request("GET", public).status_code == 200


def test_every_dialect_is_offered_with_its_meaning(browser: Browser, index: Index) -> None:
    page = browser.get(path_of(index))
    offered = {each["value"] for each in page.all("input", name="dialect")}
    assert offered == set(DIALECTS)
    for name in DIALECTS:
        page = browser.submit(path_of(index), dialect=name)
        assert index.done("GET")["dialect"] == name


def test_a_wrong_setting_comes_back_and_changes_nothing(browser: Browser, index: Index) -> None:
    before = index.done("GET")
    page = browser.submit(path_of(index), overwrite_protection="on", largest="ten", status=400)
    assert "The largest file is a whole number, not 'ten'." in page.text
    assert page.form().fields["largest"] == "ten"
    assert page.form().fields["overwrite_protection"] == "on"
    assert index.done("GET") == before
