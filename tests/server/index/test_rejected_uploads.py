"""Uploads that are rejected."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.support.archives import Archive, core_metadata, sdist, tarred, wheel, zipped
from tests.support.forms import Field, File, Form, encode, fields
from tests.support.index import Index, Server
from tests.support.raw import connect, request

CONCURRENT = 20


def assert_rejected(response: requests.Response, status: int, *words: str) -> None:
    """Check the status, and that the reason phrase and the body both contain these words."""
    assert response.status_code == status, response.reason
    assert response.headers["Content-Type"] == "application/json"
    body = response.json()
    assert body["error"] == body["message"]
    assert body["code"] == f"{status} {body['error']}"
    for word in words:
        assert word in response.reason
        assert word in body["error"]


@pytest.mark.parametrize("digest", ["sha256", "md5", "blake2_256"])
def test_a_wrong_digest_is_400(index: Index, digest: str) -> None:
    other = getattr(wheel(version="2.0"), digest)
    response = index.upload(wheel(), **{f"{digest}_digest": other})
    assert_rejected(response, 400, f"{digest}_digest", "demo-1.0-py3-none-any.whl")
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("digest", ["0", "zz" * 32, "é", "a" * 100_000])
def test_an_invalid_digest_is_400(index: Index, digest: str) -> None:
    assert_rejected(index.upload(wheel(), sha256_digest=digest), 400, "sha256_digest")


def test_a_missing_digest_is_400(index: Index) -> None:
    assert_rejected(index.upload(wheel(), sha256_digest=None), 400, "digest", "sha256_digest")


def test_a_missing_file_is_400(index: Index) -> None:
    assert_rejected(index.post(fields(wheel())[:-1]), 400, "no file", "content")


def test_a_content_field_without_a_file_is_400(index: Index) -> None:
    form: list[Field] = [*fields(wheel())[:-1], ("content", "text")]
    assert_rejected(index.post(form), 400, "no file", "content")


def test_a_missing_name_is_400(index: Index) -> None:
    form = [field for field in fields(wheel()) if field[0] != "name"]
    assert_rejected(index.post(form), 400, "no name")


@pytest.mark.parametrize("action", ["doc_upload", "verify", "submit_pkg_info", "File_Upload"])
def test_an_unknown_action_is_400(index: Index, action: str) -> None:
    assert_rejected(index.upload(wheel(), **{":action": action}), 400, action)
    assert index.json("/")["projects"] == []


def test_an_unknown_protocol_version_is_400(index: Index) -> None:
    assert_rejected(index.upload(wheel(), protocol_version="2"), 400, "protocol_version")


@pytest.mark.parametrize("name", ["-demo", "demo-", "de mo", "dé", "d/emo", "..", "a" * 300])
def test_an_invalid_name_is_400(index: Index, name: str) -> None:
    assert_rejected(index.upload(wheel(), name=name), 400, "name")


@pytest.mark.parametrize(
    "filename",
    [
        *("demo-1.0.exe", "demo-1.0-py2.7.egg", "demo-1.0.tar.bz2", "demo-1.0.tgz", "demo.whl"),
        *("demo-1.0-py3-none.whl", "demo-1.0-py3-none-any-more-more.whl", "demo-.tar.gz"),
        *("demo-not.a.version.tar.gz", "demo-x-py3-none-any.whl", "-1.0.tar.gz", ".whl", "", "x"),
        *("demo-1.0.TAR.GZ", "demo-1.0-py3-none-any.WHL", "demo-1.0.tar.gz.asc"),
    ],
)
def test_an_invalid_file_name_is_400(index: Index, filename: str) -> None:
    response = index.post(
        [*fields(wheel(), version=None)[:-1], ("content", File(filename, wheel().data))]
    )
    assert_rejected(response, 400)
    assert filename[:20] in response.json()["error"]


@pytest.mark.parametrize("filename", ["a b-1.0.tar.gz", "x" * 256 + ".whl", ".hidden.whl"])
def test_an_invalid_file_name_is_rejected_before_the_content_arrives(
    index: Index, filename: str
) -> None:
    archive = wheel(padding=1 << 20)
    form = encode([*fields(archive)[:-1], ("content", File(filename, archive.data))])
    content_starts = form.body.index(archive.data)
    headers = {**index.authorization, "Content-Type": form.content_type}
    with connect(index.url) as connection:
        connection.send(
            request(f"POST {index.path} HTTP/1.1", headers, form.body)[: -len(form.body)]
            + form.body[: content_starts + 1000]
        )
        assert connection.read_response().status == 400


@pytest.mark.parametrize(
    "filename",
    [
        *("a/demo-1.0.tar.gz", "../demo-1.0.tar.gz", "/etc/demo-1.0.tar.gz", "..", "."),
        *("a\\\\demo-1.0.tar.gz", "demo-1.0%2F.tar.gz", "%2e%2e"),
        *("demo 1.0.tar.gz", "demo-1.0\x00.tar.gz", "demo-1.0\x7f.tar.gz", "démo-1.0.tar.gz"),
        *("demo-1.0.tar.gz;x", "demo-1.0.tar.gz?x", "demo-1.0.tar.gz#x", "demo:1.0.tar.gz"),
        "d" * 300 + "-1.0.tar.gz",
    ],
)
def test_a_file_name_with_a_path_or_special_characters_is_400(index: Index, filename: str) -> None:
    form = [*fields(sdist(), version=None)[:-1], ("content", File(filename, sdist().data))]
    assert_rejected(index.post(form), 400)
    assert index.json("/")["projects"] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "other"}, ["demo-1.0-py3-none-any.whl", "other"]),
        ({"version": "2.0"}, ["demo-1.0-py3-none-any.whl", "2.0"]),
        ({"version": "nonsense"}, ["demo-1.0-py3-none-any.whl", "nonsense"]),
        ({"filetype": "sdist"}, ["demo-1.0-py3-none-any.whl", "sdist"]),
        ({"filetype": "bdist_egg"}, ["demo-1.0-py3-none-any.whl", "bdist_egg"]),
    ],
)
def test_a_file_that_contradicts_the_form_is_400(
    index: Index, changes: dict[str, str], words: list[str]
) -> None:
    assert_rejected(index.upload(wheel(), **changes), 400, *words)


@pytest.mark.parametrize("version", ["1", "1.0", "1.0.0", "v1.0", " 1.0"])
def test_equivalent_spellings_of_a_version_are_accepted(index: Index, version: str) -> None:
    assert index.upload(wheel(), version=version).status_code == 200


@pytest.mark.parametrize(
    ("metadata", "word"),
    [
        (core_metadata("other", "1.0"), "other"),
        (core_metadata("demo", "2.0"), "2.0"),
        (core_metadata("demo", "1.0", metadata_version="3.0"), "3.0"),
        (core_metadata("demo", "1.0", metadata_version="nonsense"), "nonsense"),
        (b"", "metadata"),
        (b"\x00\xff\xfe", "metadata"),
        (b"\nMetadata-Version: 2.1\nName: demo\nVersion: 1.0\n", "metadata"),
        (core_metadata("demo", "1.0", more="Name: other\n"), "metadata"),
    ],
)
def test_a_wheel_with_contradicting_metadata_is_400(
    index: Index, metadata: bytes, word: str
) -> None:
    assert_rejected(index.upload(wheel(metadata=metadata)), 400, "demo-1.0-py3-none-any.whl", word)


@pytest.mark.parametrize(
    "data",
    [
        zipped({}),
        zipped({"demo.py": b""}),
        zipped({"METADATA": core_metadata("demo", "1.0")}),
        zipped({"a/demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0")}),
        zipped(
            {
                "demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0"),
                "other-1.0.dist-info/METADATA": core_metadata("demo", "1.0"),
            }
        ),
        *(b"", b"PK", b"PK\x05\x06" + bytes(18), b"not a zip file", bytes(100)),
        tarred({"demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0")}),
        wheel().data[:-30],
    ],
)
def test_an_invalid_wheel_is_400(index: Index, data: bytes) -> None:
    response = index.upload(Archive("demo-1.0-py3-none-any.whl", data))
    assert_rejected(response, 400, "demo-1.0-py3-none-any.whl")


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
@pytest.mark.parametrize("data", [b"", b"not an archive", sdist().data[:100], sdist().data[:20]])
def test_an_invalid_sdist_is_400(index: Index, ending: str, data: bytes) -> None:
    filename = f"demo-1.0{ending}"
    assert_rejected(index.upload(Archive(filename, data), version="1.0"), 400, filename)


def test_overwrite_protection_rejects_an_existing_file_name(protected: Index) -> None:
    archive = wheel()
    protected.publish(archive)
    response = protected.upload(wheel(module="x = 2\n"))
    assert_rejected(response, 409, "already exists", archive.filename, "overwrite protection")


def test_the_body_of_a_rejection_has_the_keys_that_clients_read(protected: Index) -> None:
    protected.publish(wheel())
    response = protected.upload(wheel(module="x = 2\n"))
    assert response.headers["Content-Type"] == "application/json"
    assert set(response.json()) >= {"error", "message", "code"}
    assert response.json()["code"].startswith("409 File already exists")


def test_overwrite_protection_rejects_identical_content_too(protected: Index) -> None:
    protected.publish(wheel())
    assert_rejected(protected.upload(wheel()), 409, "already exists")


def test_identical_content_is_accepted_in_the_pypi_dialect(server: Server) -> None:
    index = server.repository(dialect="pypi", overwrite_protection=True)
    index.publish(wheel())
    time = index.files()[wheel().filename]["upload-time"]
    assert index.upload(wheel()).status_code == 200
    assert index.files()[wheel().filename]["upload-time"] == time


@pytest.mark.parametrize(
    "change",
    [
        {"sha256_digest": "0" * 64},
        {"name": "other"},
        {"version": "2.0"},
        {"filetype": "sdist"},
        {":action": "nonsense"},
        {"protocol_version": "2"},
        {},
    ],
)
def test_a_rejected_upload_changes_nothing(protected: Index, change: dict[str, str]) -> None:
    archive = wheel()
    protected.publish(archive)
    path = f"/demo/{archive.filename}"

    def everything() -> list[object]:
        responses = [protected.get(below) for below in ("/", "/demo/", path, path + ".metadata")]
        content: list[object] = [(page.content, page.headers.get("ETag")) for page in responses]
        return [*content, protected.api_json("GET", "/projects/demo")]

    before, blobs = everything(), protected.server.blobs()
    assert protected.upload(wheel(module="x = 2\n"), **change).status_code in (400, 409)
    assert protected.upload(wheel(module="y", padding=2 << 20), **change).status_code in (400, 409)
    assert everything() == before
    assert protected.server.wait_until_only_blobs(blobs)


def test_exactly_one_of_many_concurrent_uploads_succeeds(protected: Index) -> None:
    archives = [wheel(module=f"x = {number}\n") for number in range(CONCURRENT)]
    together = threading.Barrier(CONCURRENT)

    def upload(archive: Archive) -> int:
        with requests.Session() as session:
            session.trust_env = False
            form = encode(fields(archive))
            together.wait()
            response = session.post(
                protected.url,
                data=form.body,
                headers={"Content-Type": form.content_type},
                auth=protected.auth,
                timeout=30,
            )
            return response.status_code

    with ThreadPoolExecutor(CONCURRENT) as pool:
        statuses = list(pool.map(upload, archives))
    assert sorted(statuses) == [200] + [409] * (CONCURRENT - 1)
    winner = archives[statuses.index(200)]
    assert protected.file(winner).content == winner.data
    assert protected.files()[winner.filename]["hashes"] == {"sha256": winner.sha256}


@pytest.mark.parametrize("name", ["é\u2028x", "a\r\nX-Injected: yes", "a\nb", "\U0001f600", "\x00"])
def test_the_reason_phrase_is_one_line_of_ascii(index: Index, name: str) -> None:
    form = encode(fields(wheel(), name=name))
    with connect(index.url) as connection:
        for _ in range(2):
            connection.send(
                request(
                    f"POST {index.path} HTTP/1.1",
                    {**index.authorization, "Content-Type": form.content_type},
                    form.body,
                )
            )
            response = connection.read_response()
            assert response.status == 400
            assert response.reason.isascii()
            assert response.reason.isprintable()
            assert "X-Injected" not in response.headers


def test_a_long_reason_phrase_is_truncated(index: Index) -> None:
    response = index.upload(wheel(), **{":action": "x" * 50_000})
    assert response.status_code == 400
    assert 0 < len(response.reason) < 1000


def test_no_rejection_makes_poetry_register_the_project(index: Index) -> None:
    rejections = [
        index.upload(wheel(), name=""),
        index.upload(wheel(), name="other"),
        index.upload(wheel(), sha256_digest=None),
        index.upload(wheel(), sha256_digest="0" * 64),
        index.post(fields(wheel())[:-1]),
        index.get("/nothing/"),
    ]
    for response in rejections:
        assert response.status_code >= 400
        assert "was ever registered" not in response.reason + response.text


@pytest.mark.parametrize("status", ["archived", "quarantined"])
def test_an_archived_or_quarantined_project_rejects_uploads(index: Index, status: str) -> None:
    index.publish(wheel())
    index.api_json("PATCH", "/projects/demo", {"status": status})
    assert_rejected(index.upload(wheel(version="2.0")), 403, "demo", status)
    assert_rejected(index.upload(wheel(module="x = 2\n")), 403, "demo", status)
    index.api_json("PATCH", "/projects/demo", {"status": "active"})
    index.publish(wheel(version="2.0"))


def test_a_deprecated_project_accepts_uploads(index: Index) -> None:
    index.publish(wheel())
    index.api_json("PATCH", "/projects/demo", {"status": "deprecated"})
    index.publish(wheel(version="2.0"))
    assert set(index.files()) == {wheel().filename, wheel(version="2.0").filename}


@pytest.mark.parametrize(
    ("dialect", "status", "words"),
    [
        ("modern", 413, "demo-1.0-py3-none-any.whl is too large: the limit is 1048576 bytes"),
        ("pypi", 400, "File too large. Limit for project 'demo' is 1 MB."),
    ],
)
def test_a_file_that_is_too_large_is_rejected(
    server: Server, dialect: str, status: int, words: str
) -> None:
    archive = wheel(padding=2 << 20)
    index = server.repository(dialect=dialect, max_file_size=1 << 20)
    before = server.blobs()
    form = encode(fields(archive))
    headers = {**index.authorization, "Content-Type": form.content_type}
    with connect(index.url) as connection:
        for _ in range(2):
            connection.send(request(f"POST {index.path} HTTP/1.1", headers, form.body))
            response = connection.read_response()
            assert response.status == status
            assert words in response.reason
        connection.send(request(f"GET {index.path}/ HTTP/1.1", index.authorization))
        assert connection.read_response().status == 200
    assert server.wait_until_only_blobs(before)
    index.set(max_file_size=len(archive.data))
    index.publish(archive)


def test_a_form_with_two_files_is_rejected(index: Index) -> None:
    content = ("content", File("demo-2.0-py3-none-any.whl", wheel(version="2.0").data))
    before = index.server.blobs()
    assert_rejected(index.post([*fields(wheel()), content]), 400, "several files")
    assert index.server.wait_until_only_blobs(before)


def test_a_field_with_two_different_values_is_rejected(index: Index) -> None:
    assert_rejected(index.post([("name", "other"), *fields(wheel())]), 400, "several", "name")


@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/mixed; boundary=x", "multipart/form-data", ""],
)
def test_a_body_that_is_not_a_multipart_form_is_rejected(index: Index, content_type: str) -> None:
    response = index.send(Form(content_type, encode(fields(wheel())).body))
    assert_rejected(response, 400, "multipart/form-data")
