"""Pages of other indexes: what each says about its files is read, in both formats."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudrepo_server.errors import InvalidError
from cloudrepo_server.limits import MAX_REQUIRES_PYTHON
from cloudrepo_server.specs.remote_page import PageFile, read_project_page
from cloudrepo_server.specs.simple_api import HTML, HTML_V1, JSON_V1

NAME = "demo-1.0-py3-none-any.whl"
DIGEST, OTHER_DIGEST = "0123456789abcdef" * 4, "FEDCBA9876543210" * 4
MD5 = "0123456789abcdef" * 2
LENGTHS = {
    "md5": 32,
    "sha1": 40,
    "sha224": 56,
    "sha256": 64,
    "sha384": 96,
    "sha512": 128,
    "sha3_224": 56,
    "sha3_256": 64,
    "sha3_384": 96,
    "sha3_512": 128,
    "blake2s": 64,
    "blake2b": 128,
}
ENDINGS = (
    *("whl", "zip", "egg", "exe", "rpm", "deb", "dmg", "msi", "tar", "tgz", "tbz", "txz", "tlz"),
    *("tar.gz", "tar.bz2", "tar.xz", "tar.Z", "tar.lz", "tar.lzma"),
)


def read_json(**file: Any) -> PageFile:  # noqa: ANN401 (any JSON)
    page = json.dumps({"files": [{"filename": NAME, "url": NAME, **file}]}).encode()
    (found,) = read_project_page(JSON_V1, page).files
    return found


def read_html(link: str, content_type: str = HTML) -> list[PageFile]:
    page = f"<!DOCTYPE html><body>{link}</body>".encode()
    return read_project_page(content_type, page).files


def read_link(attributes: str, href: str = NAME) -> PageFile:
    (found,) = read_html(f'<a href="{href}" {attributes}>{NAME}</a>')
    return found


def test_a_json_page_says_everything_about_a_file() -> None:
    assert read_json(
        hashes={"md5": MD5, "sha256": DIGEST, "crc32": "x"},
        size=123,
        **{"upload-time": "2026-01-31T12:00:00.123456789Z", "requires-python": ">=3.9"},
        **{"core-metadata": {"sha256": OTHER_DIGEST}, "yanked": "broken"},
    ) == PageFile(
        filename=NAME,
        url=NAME,
        digests={"sha256": DIGEST, "md5": MD5},
        size=123,
        upload_time="2026-01-31T12:00:00.123456789Z",
        requires_python=">=3.9",
        metadata_sha256=OTHER_DIGEST.lower(),
        yanked="broken",
    )


def test_a_json_page_may_say_only_the_name_and_the_url() -> None:
    assert read_json() == PageFile(
        filename=NAME,
        url=NAME,
        digests={},
        size=0,
        upload_time=None,
        requires_python=None,
        metadata_sha256=None,
        yanked=None,
    )


@pytest.mark.parametrize(
    ("yanked", "reason"), [(True, ""), ("", ""), (False, None), (None, None), ("old", "old")]
)
def test_a_yank_may_be_true_or_a_reason(yanked: object, reason: str | None) -> None:
    assert read_json(yanked=yanked).yanked == reason


@pytest.mark.parametrize(
    ("names", "digest"),
    [
        ({"core-metadata": {"sha256": DIGEST}}, DIGEST),
        ({"data-dist-info-metadata": {"sha256": DIGEST}}, DIGEST),
        ({"core-metadata": False, "data-dist-info-metadata": {"sha256": DIGEST}}, None),
        ({"core-metadata": True}, None),
        ({"core-metadata": {"md5": MD5}}, None),
    ],
)
def test_core_metadata_need_a_sha256_digest(names: dict[str, object], digest: str | None) -> None:
    assert read_json(**names).metadata_sha256 == digest


@pytest.mark.parametrize("content_type", [HTML, HTML_V1])
def test_an_html_page_says_everything_about_a_file(content_type: str) -> None:
    href = f"../../files/{NAME}?x=1&amp;y=2#sha256={DIGEST}"
    attributes = (
        f'data-requires-python="&gt;=3.9" DATA-YANKED=broken '
        f"data-core-metadata='sha256={OTHER_DIGEST}'"
    )
    assert read_html(f'<a href="{href}" {attributes}>x</a>', content_type) == [
        PageFile(
            filename=NAME,
            url=f"../../files/{NAME}?x=1&y=2",
            digests={"sha256": DIGEST},
            requires_python=">=3.9",
            metadata_sha256=OTHER_DIGEST.lower(),
            yanked="broken",
        )
    ]


def test_an_html_page_may_say_only_the_url() -> None:
    assert read_link("") == PageFile(
        filename=NAME,
        url=NAME,
        digests={},
        size=0,
        upload_time=None,
        requires_python=None,
        metadata_sha256=None,
        yanked=None,
    )
    assert read_link("", f"{NAME}#egg=demo") == PageFile(filename=NAME, url=NAME)
    assert read_link("data-yanked data-core-metadata=true") == PageFile(
        filename=NAME, url=NAME, yanked=""
    )


def test_html_has_an_older_name_of_core_metadata_too() -> None:
    old = f"data-dist-info-metadata='sha256={DIGEST}'"
    assert (
        read_link(f"data-core-metadata='sha256={OTHER_DIGEST}' {old}").metadata_sha256
        == OTHER_DIGEST.lower()
    )
    assert read_link(old).metadata_sha256 == DIGEST


@pytest.mark.parametrize("algorithm", LENGTHS)
def test_a_digest_of_each_algorithm_is_read_in_both_formats(algorithm: str) -> None:
    length = LENGTHS[algorithm]
    digest = "AB" * (length // 2)
    expected = {algorithm: digest.lower()}
    assert read_json(hashes={algorithm: digest}).digests == expected
    assert read_link("", f"{NAME}#{algorithm}={digest}").digests == expected
    assert read_link("", f"{NAME}#egg=demo&amp;{algorithm}={digest}").digests == expected
    for invalid in (digest[:-1], digest + "a", digest[:-1] + "g"):
        with pytest.raises(InvalidError, match=algorithm):
            read_json(hashes={algorithm: invalid})
        with pytest.raises(InvalidError, match=algorithm):
            read_link("", f"{NAME}#{algorithm}={invalid}")


def test_the_digest_to_prefer_is_first() -> None:
    digests = {name: "a" * length for name, length in LENGTHS.items()}
    assert next(iter(read_json(hashes=digests).digests)) == "sha256"
    del digests["sha256"]
    assert next(iter(read_json(hashes=digests).digests)) == "sha512"
    assert read_json(hashes={"sha256": "", "md5": None}).digests == {}


def test_the_first_base_of_an_html_page_counts() -> None:
    page = f'<base target=_top><BASE href="../files/"><base href=/other/><a href={NAME}>x</a>'
    read = read_project_page(HTML, page.encode())
    assert (read.base, [file.url for file in read.files]) == ("../files/", [NAME])
    assert read_project_page(HTML, f"<a href={NAME}>x</a>".encode()).base == ""
    with pytest.raises(InvalidError):
        read_html('<base href="a b">')


@pytest.mark.parametrize("ending", ENDINGS)
def test_links_to_files_of_each_kind_are_read(ending: str) -> None:
    (found,) = read_html(f"<a href=demo-1.0.{ending}>x</a>")
    assert found.filename == f"demo-1.0.{ending}"


@pytest.mark.parametrize(
    "link",
    [
        "<a>x</a>",
        '<a href="">x</a>',
        '<a href="#top">x</a>',
        "<a href=../>up</a>",
        "<a href=demo-1.0.tar.gz.asc>signature</a>",
        "<a href=demo-1.0.txt>x</a>",
        "<abbr href=demo-1.0.zip>x</abbr>",
    ],
)
def test_other_links_are_not_files(link: str) -> None:
    assert read_html(link) == []


@pytest.mark.parametrize(
    "file",
    [
        {"url": "a b"},
        {"url": ""},
        {"hashes": {"sha256": DIGEST[:-1]}},
        {"hashes": {"sha256": DIGEST[:-1] + "g"}},
        {"core-metadata": {"sha256": "x"}},
        {"requires-python": "x" * (MAX_REQUIRES_PYTHON + 1)},
        {"upload-time": "yesterday"},
        {"upload-time": "2026-01-31T12:00:00"},
        {"size": -1},
    ],
)
def test_a_page_with_an_invalid_value_is_rejected(file: dict[str, Any]) -> None:
    with pytest.raises(InvalidError):
        read_json(**file)


def test_a_long_requires_python_is_accepted_up_to_the_limit() -> None:
    longest = "x" * MAX_REQUIRES_PYTHON
    assert read_json(**{"requires-python": longest}).requires_python == longest


def test_a_page_that_is_not_utf_8_is_read() -> None:
    page = b"<p>\xff</p><a href=demo-1.0.zip>\xe9</a>"
    (found,) = read_project_page(HTML, page).files
    assert found.filename == "demo-1.0.zip"
