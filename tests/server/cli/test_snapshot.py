"""`cloudrepo-server snapshot`: records releases of an index, without their files."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from cloudrepo_server.cli import main
from cloudrepo_server.cli.snapshots import client, metadata
from cloudrepo_server.cli.snapshots.environments import PLATFORMS
from tests.support.archives import Archive, sdist, wheel
from tests.support.index import Index
from tests.support.upstream import running_upstream

TIME = "2026-01-31T12:00:00.000000Z"
LINUX = ("--python=3.12", "--platform=linux-x86_64")


def add(index: Index, *archives: Archive, time: str = TIME, yanked: str | None = None) -> None:
    index.add(*archives, upload_time=time)
    if yanked is not None:
        for archive in archives:
            index.api_json("PATCH", f"/files/{archive.filename}", {"yanked": yanked})


def requiring(
    name: str,
    version: str,
    *requirements: str,
    extras: Iterable[str] = (),
    tag: str = "py3-none-any",
) -> Archive:
    """Return a wheel with these dependencies."""
    more = "".join(f"Provides-Extra: {extra}\n" for extra in extras)
    more += "".join(f"Requires-Dist: {requirement}\n" for requirement in requirements)
    return wheel(name, version, more=more, filename=f"{name}-{version}-{tag}.whl")


def snapshot(source: Index | str, *arguments: str, folder: Path, ending: str = ".toml") -> Any:  # noqa: ANN401 (TOML)
    """Make a snapshot of an index, and return the document."""
    url = source if isinstance(source, str) else f"{source.index_url}/simple/"
    path = folder / f"graph{ending}"
    with pytest.raises(SystemExit) as ended:
        main(["snapshot", "--from", url, "-o", str(path), *arguments])
    assert ended.value.code in (0, None)
    content = path.read_bytes()
    return tomllib.loads((gzip.decompress(content) if ending.endswith(".gz") else content).decode())


def error(
    source: Index | str, *arguments: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> str:
    """Make a snapshot that fails, and return the error."""
    url = source if isinstance(source, str) else f"{source.index_url}/simple/"
    path = folder / "graph.toml"
    with pytest.raises(SystemExit) as ended:
        main(["snapshot", "--from", url, "-o", str(path), *arguments])
    assert ended.value.code == 1
    assert not path.exists()
    message: str = capsys.readouterr().err
    return message


def hide_metadata(index: Index, *, has_ranges: bool) -> None:
    """Make the index offer no metadata, and support requests for parts of files or not."""
    if not has_ranges:
        # The first fault that matches a request decides.
        index.api_json("POST", "/faults", {"kind": "ignore-range", "path": "*.whl"})
    index.api_json("POST", "/faults", {"kind": "missing-metadata"})


def versions(document: Any) -> dict[str, list[str]]:  # noqa: ANN401 (TOML)
    return {name: list(releases) for name, releases in document["packages"].items()}


def test_the_dependencies_of_each_recorded_release_are_followed(
    index: Index, tmp_path: Path
) -> None:
    add(index, requiring("App", "2.0", "lib>=2"), requiring("App", "1.0", "lib<2", "old"))
    add(index, *(wheel("lib", version) for version in ("1.0", "1.5", "2.0", "3.0rc1")))
    add(index, wheel("old", "1.0"), wheel("unrelated", "1.0"))

    document = snapshot(index, "app", *LINUX, folder=tmp_path)

    assert versions(document) == {
        "app": ["2.0", "1.0"],
        "lib": ["2.0", "1.5", "1.0"],
        "old": ["1.0"],
    }
    release = document["packages"]["app"]["2.0"]
    assert release["requires"] == ["lib>=2"]
    assert release["upload_time"] == TIME
    assert release["distributions"] == {"App-2.0-py3-none-any.whl": {}}
    header = document["snapshot"]
    assert header["requirements"] == ["app"]
    assert (header["pythons"], header["platforms"]) == (["3.12"], ["linux-x86_64"])
    assert header["index"] == f"{index.url}/simple/"
    assert header["left_out"] == []


def test_the_newest_releases_are_recorded_for_each_requirement(
    index: Index, tmp_path: Path
) -> None:
    add(index, requiring("app", "1.0", "lib", "lib<3,>=1.1"))
    add(index, *(wheel("lib", f"{major}.{minor}") for major in range(1, 5) for minor in range(3)))

    document = snapshot(index, "app", "lib==1.0", "--versions", "2", *LINUX, folder=tmp_path)

    assert versions(document)["lib"] == ["4.2", "4.1", "2.2", "2.1", "1.0"]
    assert document["snapshot"]["versions"] == 2


def test_a_python_without_a_patch_number_stands_for_early_and_late_patches(
    index: Index, tmp_path: Path
) -> None:
    add(index, *(wheel("lib", f"2.{n}", requires_python=">=3.12.4") for n in range(3)))
    add(index, wheel("lib", "1.0"), wheel("lib", "1.1", requires_python="<3.12"))

    vague = snapshot(index, "lib", "--python=3.12", "--versions=2", folder=tmp_path)
    full = snapshot(index, "lib", "--python=3.12.3", "--versions=2", folder=tmp_path)

    assert versions(vague)["lib"] == ["2.2", "2.1", "1.0"]
    assert versions(full)["lib"] == ["1.0"]


def test_only_requested_extras_and_true_markers_are_followed(index: Index, tmp_path: Path) -> None:
    lines = (
        'win; sys_platform == "win32"',
        'old; python_version < "3.8"',
        'more; extra == "Big_Extra"',
        'docs; extra == "docs"',
        "middle",
    )
    add(index, requiring("app", "1.0", *lines, extras=["Big_Extra", "docs"]))
    add(index, requiring("middle", "1.0", "app[docs]"))
    add(index, *(wheel(name, "1.0") for name in ("win", "old", "more", "docs")))

    document = snapshot(index, "app[big-extra]", *LINUX, folder=tmp_path)

    assert list(versions(document)) == ["app", "docs", "middle", "more"]
    release = document["packages"]["app"]["1.0"]
    assert release["requires"] == list(lines)
    assert list(release["extras"]) == ["big-extra", "docs"]
    windows = snapshot(index, "app", "--platform=windows-x86_64", folder=tmp_path)
    assert list(versions(windows)) == ["app", "docs", "middle", "win"]


def test_only_files_for_the_environments_are_recorded(index: Index, tmp_path: Path) -> None:
    kept = ("cp312-cp312-manylinux_2_17_x86_64", "cp38-abi3-musllinux_1_2_x86_64")
    others = (
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp312-cp312-win_amd64",
        "pp310-pypy310_pp73-any",
    )
    add(index, *(requiring("lib", "1.0", tag=tag) for tag in (*kept, *others)))
    add(index, requiring("lib", "2.0", tag="cp312-cp312-win_arm64"), sdist("lib", "1.0"))

    document = snapshot(index, "lib", *LINUX, folder=tmp_path)

    assert versions(document) == {"lib": ["1.0"]}
    files = list(document["packages"]["lib"]["1.0"]["distributions"])
    assert files == sorted(f"lib-1.0-{tag}.whl" for tag in kept)


def test_an_sdist_is_recorded_if_an_environment_has_no_wheel(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    static = b"Metadata-Version: 2.2\nName: static\nVersion: 1.0\nRequires-Dist: base\n"
    dynamic = static.replace(b"static", b"dynamic") + b"Dynamic: Requires-Dist\n"
    add(index, sdist("static", metadata=static), sdist("dynamic", metadata=dynamic), sdist("old"))
    add(index, requiring("dynamic", "1.0", tag="cp311-cp311-any"))
    add(index, wheel("base", "1.0"))
    pythons = ("--python=3.11", "--python=3.12")

    document = snapshot(index, "static", *pythons, "--platform=linux-x86_64", folder=tmp_path)
    assert document["packages"]["static"]["1.0"]["distributions"] == {"static-1.0.tar.gz": {}}
    assert versions(document) == {"base": ["1.0"], "static": ["1.0"]}

    capsys.readouterr()
    document = snapshot(index, "dynamic", *pythons, folder=tmp_path)
    left_out = "dynamic-1.0.tar.gz: a build determines its dependencies"
    assert document["snapshot"]["left_out"] == [left_out]
    assert f"left out: {left_out}\n" in capsys.readouterr().err
    assert list(document["packages"]["dynamic"]["1.0"]["distributions"]) == [
        "dynamic-1.0-cp311-cp311-any.whl"
    ]
    (tmp_path / "graph.toml").unlink()
    assert "no release that satisfies" in error(index, "old", folder=tmp_path, capsys=capsys)


def test_yanked_releases_and_files_are_recorded_with_their_reasons(
    index: Index, tmp_path: Path
) -> None:
    add(
        index,
        wheel("lib", "1.0"),
        wheel("lib", "0.9"),
        requiring("lib", "0.9", tag="py2.py3-none-any"),
    )
    add(index, wheel("lib", "2.0"), time="2026-01-01T00:00:00Z", yanked="it breaks")
    add(index, wheel("lib", "0.8"), yanked="")
    index.api_json("PATCH", "/files/lib-0.9-py3-none-any.whl", {"yanked": True})

    releases = snapshot(index, "lib", "--versions=2", *LINUX, folder=tmp_path)["packages"]["lib"]

    assert list(releases) == ["2.0", "1.0", "0.9"]
    assert (releases["2.0"]["yanked"], "yanked" in releases["1.0"]) == ("it breaks", False)
    assert releases["2.0"]["upload_time"] == "2026-01-01T00:00:00.000000Z"
    assert releases["0.9"]["distributions"] == {
        "lib-0.9-py2.py3-none-any.whl": {},
        "lib-0.9-py3-none-any.whl": {"yanked": True},
    }
    pinned = snapshot(index, "lib==0.8", *LINUX, folder=tmp_path)
    assert pinned["packages"]["lib"]["0.8"]["yanked"] is True


def test_newer_files_and_prereleases_are_excluded(index: Index, tmp_path: Path) -> None:
    add(index, wheel("lib", "1.0"), time="2026-01-30T23:59:59.999999Z")
    add(index, wheel("lib", "1.1"), time="2026-01-31T00:00:00Z")
    add(index, wheel("lib", "1.2rc1"), time="2026-01-01T00:00:00Z")

    document = snapshot(index, "lib", "--exclude-newer=2026-01-31", *LINUX, folder=tmp_path)
    assert versions(document) == {"lib": ["1.0"]}
    assert document["snapshot"]["exclude_newer"] == "2026-01-31T00:00:00.000000Z"
    document = snapshot(
        index, "lib", "--exclude-newer=2026-01-31T00:00:01Z", "--pre", *LINUX, folder=tmp_path
    )
    assert versions(document) == {"lib": ["1.2rc1", "1.1", "1.0"]}


def test_wheels_of_a_release_may_have_different_metadata(index: Index, tmp_path: Path) -> None:
    add(index, requiring("lib", "1.0", "a"), requiring("lib", "1.0", "b", tag="py2.py3-none-any"))
    add(index, wheel("a", "1.0"), wheel("b", "1.0"))

    document = snapshot(index, "lib", *LINUX, folder=tmp_path)

    assert list(versions(document)) == ["a", "b", "lib"]
    release = document["packages"]["lib"]["1.0"]
    assert release["requires"] == ["b"]
    assert release["distributions"]["lib-1.0-py3-none-any.whl"] == {"requires": ["a"]}


@pytest.mark.parametrize("has_ranges", [True, False])
@pytest.mark.parametrize("padding", [0, 100_000])
def test_metadata_are_read_from_a_wheel_if_the_index_does_not_offer_them(
    index: Index, tmp_path: Path, padding: int, *, has_ranges: bool
) -> None:
    more = "Requires-Dist: base\nSummary: " + "x" * 30_000 + "\n"
    archive = wheel("lib", "1.0", more=more, padding=padding)
    add(index, archive, wheel("base", "1.0"))
    hide_metadata(index, has_ranges=has_ranges)

    document = snapshot(index, "lib", *LINUX, folder=tmp_path)

    assert versions(document) == {"base": ["1.0"], "lib": ["1.0"]}
    parts = [entry for entry in index.journal() if entry["path"].endswith(archive.filename)]
    assert parts
    assert all(dict(entry["headers"])["Range"].startswith("bytes=") for entry in parts)
    assert {entry["status"] for entry in parts} == {206 if has_ranges else 200}
    if has_ranges and padding:
        assert sum(entry["bytes_sent"] for entry in parts) < padding


def test_what_cannot_be_recorded_is_left_out_and_named(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = "direct @ https://example.com/direct-1.0.zip"
    add(index, requiring("app", "1.0", "missing", url), requiring("app", "2.0", "bad>"))

    document = snapshot(index, "app", *LINUX, folder=tmp_path)

    assert versions(document) == {"app": ["1.0"]}
    first, second, third = document["snapshot"]["left_out"]
    assert "app 1.0: the requirement direct @ https" in first
    assert first.endswith("names a URL instead of a version")
    assert second == "app-2.0-py3-none-any.whl: it has the invalid requirement 'bad>'"
    assert third == "missing: the index does not have this project"
    assert capsys.readouterr().err.count("left out: ") == 3


def test_a_file_that_is_too_large_is_left_out(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "_MAX_SDIST", 100)
    monkeypatch.setattr(metadata, "_MAX_WHEEL", 10_000)
    static = b"Metadata-Version: 2.2\nName: lib\nVersion: 2.0\n"
    add(index, wheel("lib", "1.0"), sdist("lib", "2.0", metadata=static))
    add(index, wheel("lib", "3.0", padding=20_000))
    hide_metadata(index, has_ranges=False)

    document = snapshot(index, "lib", *LINUX, folder=tmp_path)

    assert versions(document) == {"lib": ["1.0"]}
    for left_out, limit in zip(document["snapshot"]["left_out"], ("100", "10000"), strict=True):
        assert left_out.endswith(f": it is larger than {limit} bytes")


def test_a_compressed_snapshot_is_the_same_each_time(index: Index, tmp_path: Path) -> None:
    add(index, wheel("lib", "1.0"))
    arguments = ("lib", "--exclude-newer=2026-03-01", *LINUX)
    document = snapshot(index, *arguments, folder=tmp_path, ending=".toml.gz")
    first = (tmp_path / "graph.toml.gz").read_bytes()
    assert snapshot(index, *arguments, folder=tmp_path) == document
    snapshot(index, *arguments, folder=tmp_path, ending=".toml.gz")
    assert (tmp_path / "graph.toml.gz").read_bytes() == first


def test_a_request_is_repeated_after_a_temporary_error(index: Index, tmp_path: Path) -> None:
    add(index, wheel("lib", "1.0"))
    soon = {"Retry-After": "0"}
    for status in (503, 429):
        fault = {"kind": "status", "status": status, "headers": soon, "times": 2}
        index.api_json("POST", "/faults", fault)
    assert versions(snapshot(index, "lib", *LINUX, folder=tmp_path)) == {"lib": ["1.0"]}


def test_an_error_names_the_project_and_the_url_without_the_password(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(index, requiring("app", "1.0", "lib"), wheel("lib", "1.0"))
    fault = {"kind": "status", "status": 500, "headers": {"Retry-After": "0"}, "project": "lib"}
    index.api_json("POST", "/faults", fault)

    message = error(index, "app", *LINUX, folder=tmp_path, capsys=capsys)

    assert f"lib: {index.url}/simple/lib/ responded with status 500 (5 attempts)" in message
    assert index.password not in message


def test_wrong_credentials_are_reported(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = error(f"{index.url}/simple/", "lib", folder=tmp_path, capsys=capsys)
    assert f"lib: {index.url}/simple/lib/: the response has the status 401" in message


def test_an_index_that_cannot_be_reached_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_PAUSE_SECONDS", 0.0)
    message = error("http://127.0.0.1:1/simple/", "lib", folder=tmp_path, capsys=capsys)
    assert "lib: http://127.0.0.1:1/simple/lib/ did not respond: " in message
    assert message.rstrip().endswith("(5 attempts)")


@pytest.mark.parametrize(
    ("requirement", "word"),
    [("missing", "does not have this project"), ("lib>2", "no release that satisfies")],
)
def test_a_requirement_that_cannot_be_satisfied_is_an_error(
    index: Index,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    requirement: str,
    word: str,
) -> None:
    add(index, wheel("lib", "1.0"))
    message = error(index, requirement, folder=tmp_path, capsys=capsys)
    assert f"{requirement}: the index " in message
    assert word in message


def test_metadata_with_another_digest_are_rejected(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add(index, wheel("lib", "1.0"))
    index.api_json("POST", "/faults", {"kind": "wrong-metadata-hash"})
    message = error(index, "lib", folder=tmp_path, capsys=capsys)
    assert "does not have the digest that the page" in message


def test_an_html_page_has_no_upload_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = wheel("lib", "1.0")
    link = f'<a href="../files/{archive.filename}">{archive.filename}</a>'
    with running_upstream() as upstream:
        upstream.respond("/simple/lib/", link, content_type="text/html")
        upstream.respond(f"/simple/files/{archive.filename}", archive.data)
        upstream.respond("/simple/bad/", "no JSON")
        document = snapshot(upstream.url, "lib", folder=tmp_path)
        assert document["packages"]["lib"]["1.0"] == {"distributions": {archive.filename: {}}}
        (tmp_path / "graph.toml").unlink()
        arguments = ("--exclude-newer=2026-01-31", "lib")
        message = error(upstream.url, *arguments, folder=tmp_path, capsys=capsys)
        assert "lib: the index does not list upload times" in message
        message = error(upstream.url, "bad", folder=tmp_path, capsys=capsys)
        assert f"the page of bad: {upstream.url}bad/: " in message


def test_the_credentials_are_sent_to_the_index_only(tmp_path: Path) -> None:
    archive = wheel("lib", "1.0")
    with running_upstream() as index, running_upstream() as files:
        moved = {"Location": f"{files.origin}/{archive.filename}"}
        link = '<a href="{}/lib-{}-py3-none-any.whl">lib</a>'
        links = link.format(files.origin, "1.0") + link.format("../files", "2.0")
        index.respond("/simple/lib/", links, content_type="text/html")
        path = "/simple/files/lib-2.0-py3-none-any.whl"
        index.respond(path, status=302, headers=moved)
        files.respond(f"/{archive.filename}", archive.data)

        document = snapshot(index.url_with_login, "lib", folder=tmp_path)

        assert versions(document) == {"lib": ["1.0"]}
        assert document["snapshot"]["index"] == index.url
        assert [each for each, _ in index.requests] == ["/simple/lib/", path]
        assert all("Authorization" in headers for _, headers in index.requests)
        assert len(files.requests) >= 2
        assert not any("Authorization" in headers for _, headers in files.requests)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--python=2.7", "not a version of Python 3"),
        ("--platform=amiga", "unknown platform 'amiga': use one of linux-x86_64, "),
        ("--exclude-newer=yesterday", "not a timestamp"),
        ("--versions=0", "not a positive integer"),
        ("lib==", "'lib==' is not a requirement"),
        ("lib @ https://example.com/lib.zip", "has a URL or a marker"),
        ("--from=ftp://index.example", "not an http or https URL"),
    ],
)
def test_an_invalid_argument_is_rejected(
    argument: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["snapshot", "--from=pypi", "-o", "x.toml", "lib", argument])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_the_program_prints_what_it_recorded(index: Index, tmp_path: Path) -> None:
    add(index, wheel("lib", "1.0"), requiring("lib", "2.0", *map("dep{}".format, range(3))))
    command = [sys.executable, "-m", "cloudrepo_server", "snapshot", "--from"]
    done = subprocess.run(
        [*command, f"{index.index_url}/simple", "-o", tmp_path / "x.toml", "lib"],
        capture_output=True,
        text=True,
        check=True,
    )
    pattern = r".*x\.toml: 1 projects, 2 releases, 2 files, \d+ bytes\n"
    assert re.fullmatch(pattern, done.stdout)
    assert tomllib.loads((tmp_path / "x.toml").read_text())["snapshot"]["platforms"] == [*PLATFORMS]
