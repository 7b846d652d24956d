"""Installs with pip and uv from an upstream that lists other digests than sha256, or none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_cloudrepo import CommandResult, Repository
from pytest_cloudrepo.factories import RepositoryFactory
from tests.support.archives import wheel
from tests.support.upstream import Upstream, running_upstream

DEMO = wheel()
FILE = f"/files/{DEMO.filename}"
HTML, JSON = "text/html", "application/vnd.pypi.simple.v1+json"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running_upstream() as upstream:
        upstream.respond(FILE, DEMO.data)
        yield upstream


@pytest.fixture
def repository(upstream: Upstream, cloudrepo_factory: RepositoryFactory) -> Repository:
    return cloudrepo_factory(upstream=[upstream.url])


def list_file(upstream: Upstream, content_type: str, digests: dict[str, str]) -> None:
    if content_type == JSON:
        file = {"filename": DEMO.filename, "url": FILE, "hashes": digests}
        page = json.dumps({"meta": {"api-version": "1.0"}, "name": "demo", "files": [file]})
    else:
        fragment = "".join(f"#{name}={digest}" for name, digest in digests.items())
        # The file is relative to the base, and not to the page.
        page = f'<base href="/files/"><a href="{DEMO.filename}{fragment}">{DEMO.filename}</a>'
    upstream.respond("/simple/demo/", page, content_type=content_type)


def install(repository: Repository, installer: str, target: Path) -> CommandResult:
    command = ("pip",) if installer == "pip" else ("uv", "pip")
    return repository.run(*command, "install", "--target", target, "demo", check=False)


@pytest.mark.parametrize("installer", ["pip", "uv"])
@pytest.mark.parametrize("algorithm", ["md5", "sha512", None])
@pytest.mark.parametrize("content_type", [HTML, JSON])
def test_the_digests_of_an_upstream_are_checked_by_installers(
    upstream: Upstream,
    repository: Repository,
    content_type: str,
    algorithm: str | None,
    installer: str,
    tmp_path: Path,
) -> None:
    digests = {}
    if algorithm is not None:
        digests[algorithm] = hashlib.new(algorithm, DEMO.data).hexdigest()
        list_file(upstream, content_type, {algorithm: "0" * len(digests[algorithm])})
        failed = install(repository, installer, tmp_path)
        assert not failed.ok
        assert "hash" in failed.output.lower()

    list_file(upstream, content_type, digests)
    assert install(repository, installer, tmp_path).ok
