"""Random input causes no server error, hang, memory growth, or file outside the data folder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.archives import Archive, incompressible, sdist, tarred, wheel, zipped
from tests.support.data_folder import wait_for_blobs
from tests.support.forms import BOUNDARY, File, encode, fields
from tests.support.hostile import assert_no_server_error, send_raw
from tests.support.http_connection import KeptConnection
from tests.support.index import JSON, Index, Server
from tests.support.nightly import search_settings
from tests.support.platforms import STOPS_GRACEFULLY
from tests.support.process import ServerProcess
from tests.support.raw import basic, request

pytestmark = pytest.mark.nightly

MEBIBYTE = 1 << 20
ALLOWED = 96 * MEBIBYTE
"""The permitted growth of the server's memory: the fields of one form may need 16 MiB."""

NAMES = (
    *(":action", "protocol_version", "name", "version", "filetype", "pyversion", "content"),
    *("metadata_version", "sha256_digest", "md5_digest", "blake2_256_digest", "attestations"),
    *("description", "classifiers", "requires_dist", "gpg_signature"),
)
VALUES = (
    *("", "UNKNOWN", "file_upload", "submit", "1", "2", "demo", "Demo", "1.0", "1.0.0", "sdist"),
    *(
        "bdist_wheel",
        "../../x",
        "a" * 5000,
        "[]",
        "[{}]",
        "{",
        "[" * 3000,
        "\x00",
        "\r\n",
        "\udcff",
    ),
    wheel().sha256,
)
FILENAMES = (
    *(wheel().filename, sdist().filename, "demo-1.0.zip", "demo-1.0.tar.gz.asc", "demo.txt", ""),
    *("../demo-1.0.tar.gz", "..", ".", "/etc/passwd", "C:\\x.whl", "demo-1.0-py3-none-any.whl\x00"),
    *("demo-" + "1" * 240 + ".tar.gz", "demo-1!9999999999.0-py3-none-any.whl", "con-1.0.tar.gz"),
    *("demo-1.0.tar.gz/../../../x", "..%2f..%2fx", "demo#1-1.0.tar.gz", "-1.0.tar.gz", "%00"),
)
texts = st.one_of(st.sampled_from(VALUES), st.text(max_size=40))
filenames = st.one_of(st.sampled_from(FILENAMES), st.text(max_size=60))
octets = st.binary(max_size=80)


@dataclass(frozen=True)
class Victim:
    """A server with its own data folder, and its memory use before the test."""

    index: Index
    folder: Path
    resident: int

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def outside(self) -> set[Path]:
        """Return the files outside the data folder."""
        return {path for path in self.folder.rglob("*") if self.data not in path.parents}

    def check(self, outside: set[Path]) -> None:
        """Check the log, the memory use, and that no file was written outside the data folder."""
        process = self.index.server.process
        assert "Traceback" not in process.log
        assert " 500 " not in process.log
        assert psutil.Process(process.pid).memory_info().rss - self.resident < ALLOWED
        assert self.outside() == outside
        assert self.index.server.request("GET", "/readyz").status_code == 200

    def blobs(self) -> int:
        """Return the number of blobs of the files that were accepted."""
        number = 0
        with KeptConnection(self.index.server.url) as connection:
            for project in self.index.api_json("GET", "/projects")["projects"]:
                path = f"{self.index.path}/{project['name']}/"
                page = connection.request(
                    "GET", path, login=self.index.auth, headers={"Accept": JSON}
                )
                number += sum(
                    2 if file.get("core-metadata") else 1 for file in page.json()["files"]
                )
        return number


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("victim")
    process = ServerProcess(folder / "process", "--data", folder / "data")
    server = Server(process)
    index = server.repository()
    # Import everything that the server imports at the first use.
    index.publish(wheel("warm", padding=2 * MEBIBYTE), sdist("warm"))
    assert server.request("GET", "/portal/").status_code < 400
    victim = Victim(index, folder, int(psutil.Process(process.pid).memory_info().rss))
    yield victim
    expected = victim.blobs()
    server.close()
    assert process.stop() == 0, process.log
    if STOPS_GRACEFULLY:
        # The server deletes the blobs of replaced files at the latest when it stops.
        wait_for_blobs(expected, victim.data)


@pytest.fixture(autouse=True)
def victim_is_unharmed(victim: Victim) -> Iterator[None]:
    outside = victim.outside()
    yield
    victim.check(outside)


@st.composite
def parts(draw: st.DrawFn) -> list[tuple[str, str | File]]:
    """Draw the fields of an upload, some of them changed, repeated, removed or inserted."""
    archive = draw(st.sampled_from((wheel(), sdist(), wheel(version="2.0"))))
    whole = [part for part in fields(archive) if draw(st.integers(0, 9))]
    for _ in range(draw(st.integers(0, 4))):
        name = draw(st.one_of(st.sampled_from(NAMES), st.text(max_size=20)))
        value: str | File = draw(texts)
        if draw(st.booleans()):
            value = File(draw(filenames), draw(octets), draw(st.sampled_from((None, "a/b", ""))))
        whole.insert(draw(st.integers(0, len(whole))), (name, value))
    return whole


def encoded(whole: list[tuple[str, str | File]], boundary: str) -> bytes:
    made = []
    for name, value in whole:
        text = value if isinstance(value, str) else None
        # Text that is not valid Unicode is sent as the bytes that it represents.
        field = (name, File("", text.encode(errors="surrogateescape"))) if text else (name, value)
        made.append(field)
    form = b""
    for name, each in made:
        form += encode([(name, each)], boundary=boundary).body.removesuffix(
            f"--{boundary}--\r\n".encode()
        )
    return form + f"--{boundary}--\r\n".encode()


@given(
    whole=parts(),
    boundary=st.sampled_from((BOUNDARY, BOUNDARY, BOUNDARY, "x", "-", "a" * 70, "'()+_,-./:=?")),
    said=st.sampled_from((None, None, None, "other", "", '"', "a b", "\xff")),
    cut=st.one_of(st.none(), st.integers(0, 3000)),
    spliced=st.one_of(st.none(), st.tuples(st.integers(0, 3000), octets)),
    lengths=st.sampled_from(("true", "true", "less", "more", "chunked", "none")),
    chunk=st.integers(1, 700),
)
@search_settings(150, 40_000)
def test_random_forms_cause_no_server_error(
    victim: Victim,
    whole: list[tuple[str, str | File]],
    boundary: str,
    said: str | None,
    cut: int | None,
    spliced: tuple[int, bytes] | None,
    lengths: str,
    chunk: int,
) -> None:
    body = encoded(whole, boundary)
    if spliced is not None:
        body = body[: spliced[0]] + spliced[1] + body[spliced[0] :]
    body = body[:cut]
    headers = {
        **victim.index.authorization,
        "Content-Type": f"multipart/form-data; boundary={boundary if said is None else said}",
    }
    if lengths == "chunked":
        headers["Transfer-Encoding"] = "chunked"
        pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"
    elif lengths != "none":
        wrong = {"less": -chunk, "more": chunk}.get(lengths, 0)
        headers["Content-Length"] = str(max(0, len(body) + wrong))
    line = f"POST {victim.index.path} HTTP/1.1"
    assert_no_server_error(send_raw(victim.index, request(line, headers) + body))


@given(filename=filenames, method=st.sampled_from(("form", "put", "get", "delete", "patch")))
@search_settings(100, 20_000)
def test_random_file_names_cause_no_server_error(
    victim: Victim, filename: str, method: str
) -> None:
    index = victim.index
    admin = {"Authorization": basic(*index.server.admin)}
    data = filename.encode(errors="surrogateescape")
    path = quote(data, safe="")
    if method == "form":
        form = encode([*fields(wheel())[:-1], ("content", File("NAME", wheel().data))])
        body = form.body.replace(b"NAME", data)
        headers = {**index.authorization, "Content-Type": form.content_type}
        whole = request(f"POST {index.path} HTTP/1.1", headers, body)
    elif method == "get":
        whole = request(f"GET {index.path}/demo/{path} HTTP/1.1", index.authorization)
    else:
        target = f"/api/repositories/{index.name}/files/{path}"
        body = {"put": wheel().data, "patch": b'{"yanked": true}'}.get(method, b"")
        whole = request(f"{method.upper()} {target} HTTP/1.1", admin, body)
    assert_no_server_error(send_raw(index, whole))


targets = st.one_of(
    st.sampled_from(
        ("..", ".", "", "%2e%2e", "%2f", "%00", "%ff", "%", "%zz", "\\", "*", "~", ";")
    ),
    st.sampled_from(
        ("repositories", "public", "api", "portal", "simple", "files", "users", "demo")
    ),
    st.binary(max_size=8).map(lambda data: quote(data, safe="")),
    octets.map(lambda data: data.decode("latin-1")),
)
names = st.one_of(
    st.sampled_from(("Accept", "Range", "Host", "Cookie", "Expect", "If-None-Match", "If-Range")),
    st.sampled_from(("Authorization", "Content-Type", "Content-Encoding", "X-Forwarded-Proto")),
    st.sampled_from(("Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Origin")),
    st.text(max_size=12),
)


@given(
    method=st.sampled_from(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT")),
    path=st.lists(targets, max_size=6),
    query=st.one_of(st.just(""), octets.map(lambda data: "?" + data.decode("latin-1"))),
    headers=st.dictionaries(names, st.one_of(texts, st.text(max_size=30)), max_size=4),
    login=st.sampled_from(("user", "admin", "nobody")),
    body=octets,
)
@search_settings(200, 40_000)
def test_random_requests_cause_no_server_error(
    victim: Victim,
    method: str,
    path: list[str],
    query: str,
    headers: dict[str, str],
    login: str,
    body: bytes,
) -> None:
    index = victim.index
    logins = {"user": index.authorization, "admin": {"Authorization": basic(*index.server.admin)}}
    all_headers = {**logins.get(login, {}), **headers}
    lines = [f"{method} /{'/'.join(path)}{query} HTTP/1.1", "Host: x"]
    lines += [f"{name}: {value}" for name, value in all_headers.items()]
    if not {"Content-Length", "Transfer-Encoding"} & set(headers):
        lines.append(f"Content-Length: {len(body)}")
    whole = "\r\n".join(lines).encode(errors="surrogateescape") + b"\r\n\r\n" + body
    assert_no_server_error(send_raw(index, whole))


# The offsets and sizes of the fields in the headers of zip files.
# https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
ZIP_FIELDS = {
    b"PK\x03\x04": ((6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)),
    b"PK\x01\x02": ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4)),
    b"PK\x05\x06": ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)),
}
TAR_FIELDS = ((0, 100), (100, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155))
TAR_TYPES = b"01234567xgLKSDVNAM\0"
numbers = st.sampled_from((0, 1, 2, 8, 255, 1000, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))


def spoilt_zip(draw: st.DrawFn) -> bytes:
    # zipfile truncates names at a NUL, and warns about duplicate names.
    inner = {f"{at}{draw(texts)[:200]}": draw(octets) for at in range(draw(st.integers(0, 3)))}
    good = {"demo-1.0.dist-info/METADATA": wheel().metadata, "demo.py": b""}
    clean = {name: value for name, value in inner.items() if "\udcff" not in name}
    data = bytearray(zipped(good | clean, compression=draw(st.sampled_from((0, 8, 12, 14)))))
    for _ in range(draw(st.integers(0, 4))):
        signature = draw(st.sampled_from(list(ZIP_FIELDS)))
        found = [at for at in range(len(data)) if data[at : at + 4] == signature]
        at = draw(st.sampled_from(found or [0]))
        offset, size = draw(st.sampled_from(ZIP_FIELDS[signature]))
        packed = struct.pack("<L", draw(numbers))[:size]
        data[at + offset : at + offset + size] = packed
    return bytes(data)


def spoilt_tar(draw: st.DrawFn) -> bytes:
    import gzip  # noqa: PLC0415 (an argument of a test has the same name as this module)

    data = bytearray(gzip.decompress(tarred({"demo-1.0/PKG-INFO": sdist().metadata, "x": b"y"})))
    for _ in range(draw(st.integers(0, 4))):
        at = 512 * draw(st.integers(0, 3))
        offset, size = draw(st.sampled_from(TAR_FIELDS))
        value = draw(
            st.one_of(
                st.sampled_from((b"7" * 11, b"\x80" + b"\xff" * 11, b"-1", b"../../x", b"/etc/x")),
                st.sampled_from([bytes([each]) for each in TAR_TYPES]),
                octets,
            )
        )[:size]
        data[at + offset : at + offset + size] = value.ljust(size, b"\0")
        # With a wrong checksum, the archive would be rejected for that reason alone.
        data[at + 148 : at + 156] = b" " * 8
        data[at + 148 : at + 156] = b"%06o\0 " % (sum(data[at : at + 512]) & 0o777777)
    return gzip.compress(bytes(data), 1)


@st.composite
def archives(draw: st.DrawFn) -> Archive:
    """Draw an archive with wrong header fields, or random bytes."""
    kind = draw(st.sampled_from(("wheel", "zip", "tar", "tar", "wheel", "bytes")))
    name = {"wheel": wheel().filename, "zip": "demo-1.0.zip"}.get(kind, sdist().filename)
    if kind == "bytes":
        data = draw(st.sampled_from((b"PK\x03\x04", b"\x1f\x8b\x08", b""))) + draw(octets)
    else:
        data = spoilt_tar(draw) if kind == "tar" else spoilt_zip(draw)
    cut = draw(st.one_of(st.none(), st.none(), st.integers(0, 2000)))
    return Archive(name, data[:cut])


@given(archive=archives(), padded=st.booleans())
@search_settings(150, 40_000)
def test_random_archives_cause_no_server_error(
    victim: Victim, archive: Archive, *, padded: bool
) -> None:
    data = archive.data
    if padded and archive.filename.endswith(".whl"):
        # Large files are read from the disk in a thread, small ones from memory.
        data = incompressible(128 << 10) + data
    form = encode(fields(Archive(archive.filename, data)))
    with KeptConnection(victim.index.server.url) as connection:
        headers = {"Content-Type": form.content_type}
        response = connection.request(
            "POST", victim.index.path, login=victim.index.auth, body=form.body, headers=headers
        )
    assert response.status in (200, 400), (response.status, response.reason)
