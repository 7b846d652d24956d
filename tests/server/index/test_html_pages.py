"""The HTML pages of the simple API."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest

from tests.support.archives import Archive, sdist, wheel
from tests.support.index import HTML, Index

_VOID = {"meta", "br"}


class Page(HTMLParser):
    """A page, parsed strictly: every element must be closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.doctype = ""
        self.anchors: list[tuple[dict[str, str | None], str]] = []
        self.meta: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_decl(self, decl: str) -> None:
        self.doctype = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs)
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "a":
            self.anchors.append((named, ""))
        if tag == "meta" and "name" in named:
            self.meta[named["name"] or ""] = named["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["a"]:
            self.anchors[-1] = (self.anchors[-1][0], self.anchors[-1][1] + data)


def page(index: Index, below: str = "/demo/") -> Page:
    return Page(index.html(below))


def anchor(index: Index, archive: Archive) -> dict[str, str | None]:
    """Return the attributes of a file's link."""
    return next(attrs for attrs, text in page(index).anchors if text == archive.filename)


def test_a_page_is_html5_with_one_link_for_each_file(index: Index) -> None:
    index.publish(wheel(), wheel(version="2.0"), sdist(version="2.0"))
    for below, links in (("/demo/", 3), ("/", 1)):
        found = page(index, below)
        assert found.doctype == "DOCTYPE html"
        assert len(found.anchors) == links


def test_the_text_of_a_link_is_the_file_name(index: Index) -> None:
    index.publish(wheel(version="1.0+local.1"), wheel(), sdist())
    found = page(index)
    assert len(found.anchors) == 3
    for attributes, text in found.anchors:
        path = urlsplit(attributes["href"] or "").path
        assert unquote(path.rpartition("/")[2]) == text


def test_the_api_version_is_1_4(index: Index) -> None:
    index.publish(wheel())
    for below in ("/", "/demo/"):
        assert page(index, below).meta["pypi:repository-version"] == "1.4"


def test_a_link_has_the_digest_of_the_file(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    assert (anchor(index, archive)["href"] or "").endswith(f"#sha256={archive.sha256}")


def test_a_link_has_no_digest_in_the_cloudrepo_dialect(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.set(dialect="cloudrepo")
    href = anchor(index, archive)["href"] or ""
    assert urlsplit(href).fragment == ""
    assert index.linked(href).content == archive.data


def test_requires_python_is_escaped(index: Index) -> None:
    archive = wheel(requires_python=">=3.8,<4")
    index.publish(archive)
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in index.html()
    assert anchor(index, archive)["data-requires-python"] == ">=3.8,<4"


def test_hatch_finds_the_file_names_with_its_regular_expression(index: Index) -> None:
    archive = wheel(requires_python=">=3.8")
    index.publish(archive)
    assert re.findall(r"<a [^>]+>([^<]+)</a>", index.html()) == [archive.filename]


@pytest.mark.parametrize("reason", ["", 'broken & "bad" <thing>', "ärgerlich"])
def test_a_yanked_file_has_its_reason(index: Index, reason: str) -> None:
    archive, other = wheel(), wheel(version="2.0")
    index.publish(archive, other)
    index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": reason})
    assert anchor(index, archive)["data-yanked"] == reason
    assert "data-yanked" not in anchor(index, other)


def test_a_file_yanked_without_a_reason_has_an_empty_attribute(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": True})
    assert anchor(index, archive)["data-yanked"] == ""
    index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": False})
    assert "data-yanked" not in anchor(index, archive)


def test_core_metadata_has_its_digest_under_both_attribute_names(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    digest = f"sha256={Archive('METADATA', archive.metadata).sha256}"
    attributes = anchor(index, archive)
    assert attributes["data-core-metadata"] == digest
    assert attributes["data-dist-info-metadata"] == digest


def test_core_metadata_is_listed_only_if_it_is_served(index: Index) -> None:
    old, new, built = sdist(), sdist(version="2.0", metadata_version="2.2"), wheel()
    index.publish(old, new, built)
    for archive in (old, new, built):
        listed = "data-core-metadata" in anchor(index, archive)
        served = index.get(f"/demo/{archive.filename}.metadata")
        assert listed == (served.status_code == 200) == (archive is not old)


def test_the_status_of_a_project_is_in_the_head_of_its_page(index: Index) -> None:
    index.publish(wheel())
    assert "pypi:project-status" not in page(index).meta
    index.api_json(
        "PATCH", "/projects/demo", {"status": "deprecated", "reason": 'use "other" <now>'}
    )
    meta = page(index).meta
    assert meta["pypi:project-status"] == "deprecated"
    assert meta["pypi:project-status-reason"] == 'use "other" <now>'
    index.api_json("PATCH", "/projects/demo", {"status": "archived"})
    meta = page(index).meta
    assert meta["pypi:project-status"] == "archived"
    assert "pypi:project-status-reason" not in meta


def test_a_quarantined_project_lists_no_files(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    index.api_json("PATCH", "/projects/demo", {"status": "quarantined"})
    found = page(index)
    assert found.meta["pypi:project-status"] == "quarantined"
    assert found.anchors == []


@pytest.mark.parametrize("below", ["/", "/demo/"])
def test_a_page_has_the_negotiated_content_type(index: Index, below: str) -> None:
    index.publish(wheel())
    assert index.get(below, Accept=HTML).headers["Content-Type"] == HTML
    for accept in ("text/html", "*/*"):
        response = index.get(below, Accept=accept)
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"


def test_links_work_from_every_url_of_a_page(index: Index) -> None:
    archive = wheel()
    index.publish(archive)
    for below in ("/demo", "/demo/", "/simple/demo", "/simple/demo/"):
        href = page(index, below).anchors[0][0]["href"] or ""
        assert urljoin(index.url + below, href).startswith(index.url + "/demo/")
        assert index.linked(href, below).content == archive.data
