"""Archives that try to exhaust the portal, to mislead its user, or to escape from its pages."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from cloudrepo_server.limits import CONTENTS_BYTES, CONTENTS_MEMBERS, CONTENTS_PATH
from cloudrepo_server.specs import archive_contents
from cloudrepo_server.specs.archive_contents import read_contents, read_members
from tests.support.archives import Archive, core_metadata, tarred, zipped
from tests.support.index import Index
from tests.support.portal.browser import Browser, Page

METADATA = core_metadata("demo", "1.0", metadata_version="2.2")
MEBIBYTE = 1 << 20


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in members:
            info.size = info.size or len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def zip_link(name: str, target: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, target)
    return out.getvalue()


@pytest.fixture
def show(browser: Browser, index: Index) -> Callable[..., Page]:
    """A function that stores an archive and returns the page of its contents."""
    index.set(dialect="cloudrepo")

    def show(filename: str, data: bytes, below: str = "contents", status: int = 200) -> Page:
        index.publish(Archive(filename, data))
        path = f"/portal/repositories/{index.name}/files/{filename}/{below}"
        return browser.get(path, status=status)

    return show


NAMES = {
    "../../escape.py": "Unsafe path",
    "/etc/passwd": "Unsafe path",
    "C:\\windows\\x": "Unsafe path",
    "<script>alert(1)</script>": "<script>alert(1)</script>",
    "exe\u202egnp.py": r"exe\u202egnp.py",
    "line\nfeed": r"line\nfeed",
    "escape\x1b[2J": r"escape\u001b[2J",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_name_is_shown_as_text_and_marked_if_it_is_unsafe(
    browser: Browser, show: Callable[..., Page], name: str, ending: str
) -> None:
    files = {name: b"content of it"}
    page = show("demo-1.0" + ending, zipped(files) if ending == ".zip" else tarred(files))
    assert NAMES[name] in page.text
    assert not [each for each in page.all("script") if "src" not in each]
    assert "\u202e" not in page.response.text
    (target,) = [each["href"] for each in page.all("a") if "/contents/file?path=" in each["href"]]
    assert "content of it" in browser.get(target).text


def test_the_link_of_a_name_stays_on_the_page_of_its_archive(
    browser: Browser, index: Index
) -> None:
    archive = Archive("demo-1.0.zip", zipped({"a?b=c&path=x#d": b"content of it"}))
    index.set(dialect="cloudrepo")
    index.publish(archive)
    page = browser.get(f"/portal/repositories/{index.name}/files/demo-1.0.zip/contents")
    (target,) = [each["href"] for each in page.all("a") if "path=" in each["href"]]
    assert "content of it" in browser.get(target).text


def test_links_and_special_files_are_listed_and_never_followed(show: Callable[..., Page]) -> None:
    page = show(
        "demo-1.0.tar.gz",
        tar_of(
            link("demo-1.0/soft", "/etc/passwd"),
            link("demo-1.0/hard", "../x", tarfile.LNKTYPE),
            link("demo-1.0/pipe", "", tarfile.FIFOTYPE),
        ),
    )
    assert "demo-1.0/soft symbolic link to /etc/passwd" in page.text
    assert "demo-1.0/hard hard link to ../x" in page.text
    assert "demo-1.0/pipe special file" in page.text
    assert not [each for each in page.all("a") if "path=" in each["href"]]
    page = show("demo-1.0.tar.gz", tar_of(link("a", "b")), "contents/file?path=a", 404)
    assert "contains no file" in page.text


def test_a_symbolic_link_in_a_zip_is_never_followed(show: Callable[..., Page]) -> None:
    data = zip_link("demo-1.0/soft", "/etc/passwd")
    page = show("demo-1.0.zip", data)
    assert "demo-1.0/soft symbolic link to /etc/passwd" in page.text
    show("demo-1.0.zip", data, "contents/file?path=demo-1.0/soft", 404)


def test_names_that_are_not_utf8_or_too_long_are_listed_only(show: Callable[..., Page]) -> None:
    info = tarfile.TarInfo("x" * (CONTENTS_PATH + 1))
    page = show("demo-1.0.tar.gz", tar_of((info, b"1"), (tarfile.TarInfo("caf\udce9.py"), b"2")))
    assert r"caf\udce9.py" in page.text
    assert not [each for each in page.all("a") if "path=" in each["href"]]


def test_the_number_of_listed_files_is_limited(show: Callable[..., Page]) -> None:
    files = {f"demo-1.0/{number}": b"" for number in range(CONTENTS_MEMBERS + 1)}
    page = show("demo-1.0.zip", zipped(files, compression=zipfile.ZIP_STORED))
    assert "The list is not complete: at most 20,000 files are listed." in page.text
    assert "20,000 files" in page.text
    assert page.text.count("0 Bytes") == 201


def test_the_bytes_that_are_unpacked_of_a_zip_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_contents, "CONTENTS_BYTES", MEBIBYTE)
    bomb = zipped({"a": b"small", "b": bytes(2 * MEBIBYTE), "c": b"small"})
    contents = read_contents("demo-1.0.zip", io.BytesIO(bomb), with_digests=True)
    # The directory lists all files.
    assert [(each.path, each.digest is None) for each in contents.members] == [
        ("a", False),
        ("b", True),
        ("c", True),
    ]


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_large_file_that_must_be_unpacked_as_a_whole_is_not_read(compression: int) -> None:
    bomb = zipped({"a": bytes(17 * MEBIBYTE), "b": b"small"}, compression=compression)
    contents = read_contents("demo-1.0.zip", io.BytesIO(bomb), with_digests=True)
    assert [each.digest is None for each in contents.members] == [True, False]


def test_the_bytes_that_are_unpacked_of_a_tar_are_limited(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive_contents, "CONTENTS_BYTES", MEBIBYTE)
    bomb = tarred({"a": b"small", "b": bytes(2 * MEBIBYTE), "c": b"small"})
    contents = read_contents("demo-1.0.tar.gz", io.BytesIO(bomb), with_digests=True)
    assert [member.path for member in contents.members] == ["a"]
    assert contents.omitted == "at most 1 MiB are unpacked"
    found = read_members("demo-1.0.tar.gz", io.BytesIO(bomb), {"a", "c"})
    assert found == {"a": b"small"}


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_the_time_of_unpacking_is_limited(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    monkeypatch.setattr(archive_contents, "CONTENTS_SECONDS", -1.0)
    files = {"a": b"1", "b": b"2"}
    data = zipped(files) if ending == ".zip" else tarred(files)
    contents = read_contents("demo-1.0" + ending, io.BytesIO(data), with_digests=True)
    assert not [member for member in contents.members if member.digest is not None]
    assert read_members("demo-1.0" + ending, io.BytesIO(data), {"a"}) == {}


def sparse_bomb() -> bytes:
    """Return a tar file with a sparse file of 1 TiB of zeros."""
    info = tarfile.TarInfo("demo-1.0/sparse")
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    size = 1 << 40
    # No data at all, and the real size in base 256.
    header[386:482] = bytes(96)
    header[482] = 0
    header[483:495] = b"\x80" + size.to_bytes(11)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(bytes(header) + bytes(1024), mtime=0)


def test_a_sparse_file_costs_no_more_than_other_files() -> None:
    contents = read_contents("demo-1.0.tar.gz", io.BytesIO(sparse_bomb()), with_digests=True)
    assert contents.omitted == f"at most {CONTENTS_BYTES >> 20} MiB are unpacked"


def test_damaged_and_encrypted_files_are_listed_and_not_shown(show: Callable[..., Page]) -> None:
    data = bytearray(zipped({"demo-1.0/x": b"content" * 10}, compression=zipfile.ZIP_STORED))
    data[data.index(b"content")] ^= 1
    assert "demo-1.0/x" in show("demo-1.0.zip", bytes(data)).text
    page = show("demo-1.0.zip", bytes(data), "contents/file?path=demo-1.0/x")
    assert "damaged or encrypted" in page.text


@pytest.mark.parametrize("cut", [100, 400])
@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_cut_off_archive_is_an_error_page(
    show: Callable[..., Page], ending: str, cut: int
) -> None:
    files = {"demo-1.0/PKG-INFO": METADATA, "demo-1.0/x": bytes(range(256)) * 4}
    data = zipped(files) if ending == ".zip" else tarred(files)
    assert "readable archive" in show("demo-1.0" + ending, data[: len(data) - cut], status=400).text
