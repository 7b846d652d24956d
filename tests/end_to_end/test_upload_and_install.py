"""Uploads and installs with the versions of twine, pip and uv in the environment of the tests."""

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

DOWNLOADS = 50
TIMEOUT = 120.0

Program = Callable[..., CommandResult]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A function that runs a Python module without the user's settings, and with an empty cache."""
    environ = Environment(tmp_path / "environment").scrubbed()
    del environ["PIP_NO_CACHE_DIR"], environ["UV_NO_CACHE"]

    def run_program(*arguments: str | Path, **variables: str) -> CommandResult:
        return run(
            [sys.executable, "-m", *arguments],
            environ={**environ, **variables},
            timeout=TIMEOUT,
            check=False,
        )

    return run_program


def write(archive: Archive, folder: Path) -> Path:
    path = folder / archive.filename
    path.write_bytes(archive.data)
    return path


def upload_variables(index: Index) -> Mapping[str, str]:
    return {
        "TWINE_REPOSITORY_URL": index.url,
        "TWINE_USERNAME": index.username,
        "TWINE_PASSWORD": index.password,
        "UV_PUBLISH_URL": index.url,
        "UV_PUBLISH_USERNAME": index.username,
        "UV_PUBLISH_PASSWORD": index.password,
        "UV_TRUSTED_PUBLISHING": "never",
    }


def received_requests(index: Index) -> list[tuple[str, int, str]]:
    """Return the method, the status and the last path segment of each request."""
    return [
        (each["method"], each["status"], each["path"].rstrip("/").rpartition("/")[2])
        for each in index.journal()
    ]


@pytest.mark.parametrize(
    "publish", [("twine", "upload"), ("uv", "publish", "--trusted-publishing", "never")]
)
def test_pip_and_uv_install_what_a_client_published(
    index: Index, program: Program, tmp_path: Path, publish: tuple[str, ...]
) -> None:
    path = write(wheel(module="x = 42\n"), tmp_path)
    published = program(*publish, path, **upload_variables(index))
    assert published.ok, published.output
    for name, install in (
        ("pip", ("pip", "install", "--no-deps")),
        ("uv", ("uv", "pip", "install", "--python", sys.executable)),
    ):
        target = tmp_path / name
        installed = program(*install, "--index-url", index.index_url, "--target", target, "demo")
        assert installed.ok, installed.output
        assert (target / "demo.py").read_text() == "x = 42\n"
    # pip and uv both read the metadata file before they download the wheel.
    names = [name for _, _, name in received_requests(index)[1:]]
    assert names.count(f"{path.name}.metadata") == 2


def test_twine_rejects_skip_existing_before_any_request(
    protected: Index, program: Program, tmp_path: Path
) -> None:
    path = write(wheel(), tmp_path)
    failed = program("twine", "upload", "--skip-existing", path, **upload_variables(protected))
    assert failed.returncode == 1
    assert "UnsupportedConfiguration" in failed.output
    assert received_requests(protected) == []


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_the_reason_of_a_rejected_overwrite_is_shown(
    protected: Index, program: Program, tmp_path: Path, client: str
) -> None:
    protected.publish(wheel())
    path = write(wheel(module="x = 2\n"), tmp_path)
    upload = ("twine", "upload") if client == "twine" else ("uv", "publish")
    failed = program(*upload, path, **upload_variables(protected))
    assert failed.returncode == (1 if client == "twine" else 2)
    assert f"File already exists: {path.name}" in failed.output
    assert protected.password not in failed.output


def test_uv_check_url_skips_existing_files(
    protected: Index, program: Program, tmp_path: Path
) -> None:
    path = write(wheel(), tmp_path)
    protected.publish(wheel())
    skipped = program(
        *("uv", "publish", "--check-url", protected.index_url, path), **upload_variables(protected)
    )
    assert skipped.ok, skipped.output
    assert "already exists, skipping" in skipped.output
    assert [method for method, _, _ in received_requests(protected)] == ["POST", "GET"]


def test_uv_check_url_fails_if_the_index_has_no_hashes(
    server: Server, program: Program, tmp_path: Path
) -> None:
    index = server.repository(dialect="cloudrepo", overwrite_protection=True)
    path = write(wheel(), tmp_path)
    index.publish(wheel())
    failed = program(
        "uv", "publish", "--check-url", index.index_url, path, **upload_variables(index)
    )
    assert failed.returncode == 2
    assert "Hash is missing in index" in failed.output


def test_uv_check_url_fails_if_the_content_differs(
    protected: Index, program: Program, tmp_path: Path
) -> None:
    protected.publish(wheel())
    path = write(wheel(module="x = 2\n"), tmp_path)
    failed = program(
        *("uv", "publish", "--check-url", protected.index_url, path), **upload_variables(protected)
    )
    assert failed.returncode == 2
    assert "do not match" in failed.output


def test_twine_uploads_five_times_if_the_status_is_503(
    index: Index, program: Program, tmp_path: Path
) -> None:
    index.api_json("POST", "/faults", {"kind": "status", "status": 503, "method": "POST"})
    failed = program("twine", "upload", write(wheel(), tmp_path), **upload_variables(index))
    assert failed.returncode == 1
    assert [(method, status) for method, status, _ in received_requests(index)] == [
        ("POST", 503)
    ] * 5


def test_pip_revalidates_its_cache(index: Index, program: Program, tmp_path: Path) -> None:
    archive = wheel()
    index.publish(archive)
    host = urlsplit(index.url).hostname or ""
    for number in range(2):
        index.api_json("DELETE", "/requests")
        result = program(
            *("pip", "install", "--no-deps", "--trusted-host", host),
            *("--index-url", index.index_url, "--target", tmp_path / str(number), "demo"),
        )
        assert result.ok, result.output
    assert [(status, name) for _, status, name in received_requests(index)] == [
        (304, "demo"),
        (304, f"{archive.filename}.metadata"),
        (304, archive.filename),
    ]


def test_uv_reads_credentials_from_a_netrc(index: Index, program: Program, tmp_path: Path) -> None:
    index.publish(wheel())
    index.api_json("DELETE", "/requests")
    netrc = tmp_path / "netrc"
    host = urlsplit(index.url).hostname
    netrc.write_text(f"machine {host}\nlogin {index.username}\npassword {index.password}\n")
    netrc.chmod(0o600)
    result = program(
        *("uv", "pip", "install", "--python", sys.executable, "--target", tmp_path / "target"),
        *("--index-url", index.url, "demo"),
        NETRC=str(netrc),
    )
    assert result.ok, result.output
    assert [(status, name) for _, status, name in received_requests(index)][:2] == [
        (401, "demo"),
        (200, "demo"),
    ]
    assert (tmp_path / "target" / "demo.py").exists()


def test_fifty_concurrent_downloads_succeed(index: Index, program: Program, tmp_path: Path) -> None:
    names = [f"part{number}" for number in range(DOWNLOADS)]
    index.publish(*(wheel(name, padding=50_000) for name in names))
    index.api_json("DELETE", "/requests")
    result = program(
        *("uv", "pip", "install", "--python", sys.executable, "--target", tmp_path / "target"),
        *("--index-url", index.index_url, *names),
        UV_CONCURRENT_DOWNLOADS=str(DOWNLOADS),
    )
    assert result.ok, result.output
    statuses = [(status, name) for _, status, name in received_requests(index)]
    assert {status for status, _ in statuses} == {200}
    # Each wheel was downloaded with one request, so no request was retried.
    assert len([name for _, name in statuses if name.endswith(".whl")]) == DOWNLOADS


@pytest.mark.parametrize(
    "install",
    [
        ("pip", "install", "--no-deps", "--uploaded-prior-to", "2023-01-01T00:00:00Z"),
        ("uv", "pip", "install", "--python", sys.executable, "--exclude-newer", "2023-01-01"),
    ],
    ids=["pip", "uv"],
)
def test_installers_honour_the_upload_times(
    index: Index, program: Program, tmp_path: Path, install: tuple[str, ...]
) -> None:
    for version, time in (("1.0", "2022-05-01T00:00:00Z"), ("2.0", "2024-05-01T00:00:00Z")):
        archive = wheel(version=version, module=f"version = {version!r}\n")
        index.publish(archive)
        index.api_json("PATCH", f"/files/{archive.filename}", {"upload_time": time})
    target = tmp_path / "target"
    result = program(*install, "--index-url", index.index_url, "--target", target, "demo")
    assert result.ok, result.output
    assert (target / "demo.py").read_text() == "version = '1.0'\n"
