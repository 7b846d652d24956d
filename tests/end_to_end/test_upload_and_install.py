"""wire.md 6, H: real clients, end to end, as far as the tests' own tools reach."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pytest_cloudrepo._programs.command import run
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.result import CommandResult
from tests.support.archives import Archive, wheel
from tests.support.index import Index, Server

AT_ONCE = 50
SECONDS = 120.0

Program = Callable[..., CommandResult]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Runs a program of this Python's in a scrubbed environment, with caches of the test's own."""
    environ = Environment(tmp_path / "environment").scrubbed()
    del environ["PIP_NO_CACHE_DIR"], environ["UV_NO_CACHE"]

    def call(*arguments: str | Path, **more: str) -> CommandResult:
        given = [sys.executable, "-m", *arguments]
        return run(given, environ={**environ, **more}, timeout=SECONDS, check=False)

    return call


def written(archive: Archive, folder: Path) -> Path:
    path = folder / archive.filename
    path.write_bytes(archive.data)
    return path


def login(index: Index) -> Mapping[str, str]:
    return {
        "TWINE_REPOSITORY_URL": index.url,
        "TWINE_USERNAME": index.username,
        "TWINE_PASSWORD": index.password,
        "UV_PUBLISH_URL": index.url,
        "UV_PUBLISH_USERNAME": index.username,
        "UV_PUBLISH_PASSWORD": index.password,
        "UV_TRUSTED_PUBLISHING": "never",
    }


def seen(index: Index) -> list[tuple[str, int, str]]:
    """What the server was asked: method, status and the last part of the path."""
    return [
        (each["method"], each["status"], each["path"].rstrip("/").rpartition("/")[2])
        for each in index.journal()
    ]


@pytest.mark.parametrize(
    "publish", [("twine", "upload"), ("uv", "publish", "--trusted-publishing", "never")]
)
def test_w88_published_by_a_program_and_installed_by_two(
    index: Index, program: Program, tmp_path: Path, publish: tuple[str, ...]
) -> None:
    path = written(wheel(module="x = 42\n"), tmp_path)
    published = program(*publish, path, **login(index))
    assert published.ok, published.output
    for name, install in (
        ("pip", ("pip", "install", "--no-deps")),
        ("uv", ("uv", "pip", "install", "--python", sys.executable)),
    ):
        target = tmp_path / name
        installed = program(*install, "--index-url", index.index_url, "--target", target, "demo")
        assert installed.ok, installed.output
        assert (target / "demo.py").read_text() == "x = 42\n"
    # pip and uv were content with the metadata file before they took the wheel.
    assert [name for _, status, name in seen(index)[1:]].count(f"{path.name}.metadata") == 2


def test_w90_twine_refuses_to_skip_existing_before_any_request(
    protected: Index, program: Program, tmp_path: Path
) -> None:
    path = written(wheel(), tmp_path)
    refused = program("twine", "upload", "--skip-existing", path, **login(protected))
    assert refused.returncode == 1
    assert "UnsupportedConfiguration" in refused.output
    assert seen(protected) == []


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_w71_the_refusal_of_an_overwrite_is_shown(
    protected: Index, program: Program, tmp_path: Path, client: str
) -> None:
    protected.publish(wheel())
    path = written(wheel(module="x = 2\n"), tmp_path)
    upload = ("twine", "upload") if client == "twine" else ("uv", "publish")
    refused = program(*upload, path, **login(protected))
    assert refused.returncode == (1 if client == "twine" else 2)
    assert f"File already exists: {path.name}" in refused.output
    assert protected.password not in refused.output


def test_w91_uv_skips_what_its_check_url_shows(
    protected: Index, program: Program, tmp_path: Path
) -> None:
    path = written(wheel(), tmp_path)
    protected.publish(wheel())
    skipped = program(
        *("uv", "publish", "--check-url", protected.index_url, path), **login(protected)
    )
    assert skipped.ok, skipped.output
    assert "already exists, skipping" in skipped.output
    assert [method for method, _, _ in seen(protected)] == ["POST", "GET"]


def test_w91_uv_refuses_to_compare_without_hashes(
    server: Server, program: Program, tmp_path: Path
) -> None:
    index = server.repository(dialect="cloudrepo", overwrite_protection=True)
    path = written(wheel(), tmp_path)
    index.publish(wheel())
    refused = program("uv", "publish", "--check-url", index.index_url, path, **login(index))
    assert refused.returncode == 2
    assert "Hash is missing in index" in refused.output


def test_w91_uv_refuses_other_bytes(protected: Index, program: Program, tmp_path: Path) -> None:
    protected.publish(wheel())
    path = written(wheel(module="x = 2\n"), tmp_path)
    refused = program(
        *("uv", "publish", "--check-url", protected.index_url, path), **login(protected)
    )
    assert refused.returncode == 2
    assert "do not match" in refused.output


def test_w92_twine_posts_five_times_on_503(index: Index, program: Program, tmp_path: Path) -> None:
    index.done("POST", "/faults", {"kind": "status", "status": 503, "method": "POST"})
    failed = program("twine", "upload", written(wheel(), tmp_path), **login(index))
    assert failed.returncode == 1
    assert [(method, status) for method, status, _ in seen(index)] == [("POST", 503)] * 5


def test_w93_pip_revalidates_what_it_kept(index: Index, program: Program, tmp_path: Path) -> None:
    archive = wheel()
    index.publish(archive)
    host = urlsplit(index.url).hostname or ""
    for number in range(2):
        index.done("DELETE", "/requests")
        answer = program(
            *("pip", "install", "--no-deps", "--trusted-host", host),
            *("--index-url", index.index_url, "--target", tmp_path / str(number), "demo"),
        )
        assert answer.ok, answer.output
    assert [(status, name) for _, status, name in seen(index)] == [
        (304, "demo"),
        (304, f"{archive.filename}.metadata"),
        (304, archive.filename),
    ]


def test_w94_uv_takes_its_login_from_netrc(index: Index, program: Program, tmp_path: Path) -> None:
    index.publish(wheel())
    index.done("DELETE", "/requests")
    netrc = tmp_path / "netrc"
    host = urlsplit(index.url).hostname
    netrc.write_text(f"machine {host}\nlogin {index.username}\npassword {index.password}\n")
    netrc.chmod(0o600)
    answer = program(
        *("uv", "pip", "install", "--python", sys.executable, "--target", tmp_path / "target"),
        *("--index-url", index.url, "demo"),
        NETRC=str(netrc),
    )
    assert answer.ok, answer.output
    assert [(status, name) for _, status, name in seen(index)][:2] == [(401, "demo"), (200, "demo")]
    assert (tmp_path / "target" / "demo.py").exists()


def test_w95_fifty_downloads_at_once(index: Index, program: Program, tmp_path: Path) -> None:
    names = [f"part{number}" for number in range(AT_ONCE)]
    index.publish(*(wheel(name, padding=50_000) for name in names))
    index.done("DELETE", "/requests")
    answer = program(
        *("uv", "pip", "install", "--python", sys.executable, "--target", tmp_path / "target"),
        *("--index-url", index.index_url, *names),
        UV_CONCURRENT_DOWNLOADS=str(AT_ONCE),
    )
    assert answer.ok, answer.output
    statuses = [(status, name) for _, status, name in seen(index)]
    assert {status for status, _ in statuses} == {200}
    # Each wheel came at once: nothing had to be asked for again.
    assert len([name for _, name in statuses if name.endswith(".whl")]) == AT_ONCE


@pytest.mark.parametrize(
    "install",
    [
        ("pip", "install", "--no-deps", "--uploaded-prior-to", "2023-01-01T00:00:00Z"),
        ("uv", "pip", "install", "--python", sys.executable, "--exclude-newer", "2023-01-01"),
    ],
    ids=["pip", "uv"],
)
def test_installers_see_the_upload_times_that_were_set(
    index: Index, program: Program, tmp_path: Path, install: tuple[str, ...]
) -> None:
    for version, time in (("1.0", "2022-05-01T00:00:00Z"), ("2.0", "2024-05-01T00:00:00Z")):
        archive = wheel(version=version, module=f"version = {version!r}\n")
        index.publish(archive)
        index.done("PATCH", f"/files/{archive.filename}", {"upload_time": time})
    target = tmp_path / "target"
    answer = program(*install, "--index-url", index.index_url, "--target", target, "demo")
    assert answer.ok, answer.output
    assert (target / "demo.py").read_text() == "version = '1.0'\n"
