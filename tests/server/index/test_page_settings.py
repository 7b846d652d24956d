"""The settings `digests` and `page_max_age`: what pages list, and how long they may be cached."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.support.archives import Archive, wheel
from tests.support.index import JSON, Index, Server
from tests.support.upstream import running_upstream

ALGORITHMS = (
    *("sha256", "sha512", "sha384", "sha224", "blake2b", "blake2s"),
    *("sha3_512", "sha3_384", "sha3_256", "sha3_224", "sha1", "md5"),
)
DEMO = wheel()


def digest(algorithm: str, archive: Archive = DEMO) -> str:
    return hashlib.new(algorithm, archive.data, usedforsecurity=False).hexdigest()


def listed(index: Index, archive: Archive = DEMO) -> dict[str, str]:
    """Return the digests on the JSON page; the HTML page must have the first of them."""
    digests: dict[str, str] = index.files()[archive.filename]["hashes"]
    fragment = "".join(f"#{name}={value}" for name, value in [*digests.items()][:1])
    assert f'{archive.filename}{fragment}"' in index.html()
    return digests


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_pages_list_the_digest_that_the_setting_names(server: Server, algorithm: str) -> None:
    index = server.repository(digests=[algorithm])
    index.publish(DEMO)
    assert listed(index) == {algorithm: digest(algorithm)}


@pytest.mark.parametrize("names", [["md5", "sha256", "sha512"], ["sha512", "md5"], []])
def test_pages_list_several_digests_in_the_order_of_the_setting(
    server: Server, names: list[str]
) -> None:
    index = server.repository(digests=names)
    assert index.upload(DEMO).status_code == 200
    assert [*listed(index).items()] == [(name, digest(name)) for name in names]


def test_by_default_pages_list_sha256_only(server: Server) -> None:
    index = server.repository()
    index.publish(DEMO)
    assert listed(index) == {"sha256": DEMO.sha256}


def test_the_setting_applies_in_a_dialect_without_digests(server: Server) -> None:
    index = server.repository(dialect="cloudrepo", digests=["md5"])
    index.publish(DEMO)
    assert f"#md5={DEMO.md5}" in index.html()


def test_a_file_has_the_digests_that_the_setting_named_at_its_upload(index: Index) -> None:
    index.publish(DEMO)
    index.set(digests=["md5", "sha256"])
    new = wheel(version="2.0")
    index.publish(new)
    assert listed(index) == {"sha256": DEMO.sha256}
    assert listed(index, new) == {"md5": new.md5, "sha256": new.sha256}
    index.set(digests=None)
    assert listed(index, new) == {"sha256": new.sha256}


def test_the_setting_chooses_among_the_digests_of_an_upstream(server: Server) -> None:
    with running_upstream() as upstream:
        hashes = {"md5": DEMO.md5, "sha512": digest("sha512")}
        file = {"filename": DEMO.filename, "url": "/x", "hashes": hashes}
        upstream.respond("/simple/demo/", json.dumps({"files": [file]}))
        index = server.repository(upstream=[upstream.url], digests=["md5", "sha256"])
        assert listed(index) == {"md5": DEMO.md5}
        index.set(digests=[])
        assert listed(index) == {}
        index.set(digests=None)
        assert listed(index) == hashes


@pytest.mark.parametrize(
    ("digests", "reason"), [(["crc32"], "the digests are: sha256, sha512"), (["md5"] * 2, "twice")]
)
def test_an_invalid_choice_of_digests_is_rejected(
    index: Index, digests: list[str], reason: str
) -> None:
    response = index.api("PATCH", json={"digests": digests})
    assert response.status_code == 400
    assert reason in response.json()["error"]


@pytest.mark.parametrize(
    ("dialect", "seconds", "expected"),
    [
        ("modern", None, "max-age=0"),
        ("modern", 60, "max-age=60, public"),
        ("pypi", None, "max-age=600, public"),
        ("pypi", 0, "max-age=0"),
        ("cloudrepo", 31_536_000, "max-age=31536000, public"),
    ],
)
def test_pages_may_be_cached_as_long_as_the_setting_says(
    server: Server, dialect: str, seconds: int | None, expected: str
) -> None:
    index = server.repository(dialect=dialect, page_max_age=seconds)
    index.publish(DEMO)
    for path in ("/", "/demo/"):
        for accepted in (JSON, "text/html"):
            assert index.get(path, Accept=accepted).headers["Cache-Control"] == expected
    if dialect == "pypi":
        described = index.get("/pypi/demo/json").headers["Cache-Control"]
        assert described == ("max-age=900, public" if seconds is None else "max-age=0")


@pytest.mark.parametrize("seconds", [-1, 31_536_001, 1.5, "60", True])
def test_an_invalid_lifetime_of_pages_is_rejected(index: Index, seconds: object) -> None:
    response = index.api("PATCH", json={"page_max_age": seconds})
    assert response.status_code == 400
    assert "page_max_age" in response.json()["error"]
