"""Uploads that are accepted."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from tests.support.archives import Archive, core_metadata, sdist, tarred, wheel, zipped
from tests.support.forms import BOUNDARY, File, Form, encode, fields, recorded
from tests.support.index import Index
from tests.support.raw import connect, exchange, request

FORMS = Path(__file__).parents[2] / "support" / "recorded_forms"
RECORDED = sorted(path.stem for path in FORMS.glob("*.form"))
CLIENTS = {"twine", "uv", "poetry", "pdm", "hatch", "flit"}
METADATA_VERSIONS = ("1.0", "1.1", "1.2", "2.0", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6")


def posted(index: Index, form: Form, **headers: str) -> bytes:
    """Return the request that uploads a form."""
    return request(
        f"POST {index.path} HTTP/1.1",
        {**index.authorization, "Content-Type": form.content_type, **headers},
        form.body,
    )


def chunked(body: bytes, size: int) -> bytes:
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def test_the_forms_of_all_six_publishers_are_recorded() -> None:
    kinds = {(name.split("-")[0], name.split("-")[-1]) for name in RECORDED}
    assert {(client, kind) for client in CLIENTS for kind in ("wheel", "sdist")} <= kinds


@pytest.mark.parametrize("name", [name for name in RECORDED if not name.endswith("register")])
def test_a_recorded_form_is_accepted(index: Index, name: str) -> None:
    form = recorded(FORMS / f"{name}.form")
    response = index.send(form)
    assert response.status_code == 200, response.text
    (file,) = index.json("/form-demo/")["files"]
    assert file["filename"].endswith(".whl" if name.endswith("wheel") else ".tar.gz")
    assert index.linked(file["url"], "/form-demo/").content in form.body
    assert index.json("/form-demo/")["versions"] == ["1.0"]
    assert index.journal()[0]["form"]["name"][0].replace(".", "-") == "form-demo"


@pytest.mark.parametrize("name", [name for name in RECORDED if name.endswith("register")])
def test_a_registration_without_a_file_returns_200_and_stores_nothing(
    index: Index, name: str
) -> None:
    response = index.send(recorded(FORMS / f"{name}.form"))
    assert response.status_code == 200, response.text
    assert index.json("/")["projects"] == []


@pytest.mark.parametrize("action", ["file_upload", None])
@pytest.mark.parametrize("place", ["first", "last"])
def test_the_action_field_may_be_anywhere_or_missing(
    index: Index, action: str | None, place: str
) -> None:
    form = fields(wheel(), **{":action": None})
    if action is not None:
        form.insert(0 if place == "first" else len(form), (":action", action))
    assert index.post(form).status_code == 200


@pytest.mark.parametrize("size", [0, 2 << 20])
def test_fields_may_come_after_the_file(index: Index, size: int) -> None:
    archive = wheel(padding=size)
    *form, content = fields(archive, sha256_digest=None)
    digests = [("md5_digest", archive.md5), ("blake2_256_digest", archive.blake2_256)]
    response = index.post([content, *digests, *form])
    assert response.status_code == 200, response.text
    assert index.file(archive).content == archive.data


def test_a_wrong_digest_after_a_large_file_is_rejected(index: Index) -> None:
    archive = wheel(padding=2 << 20)
    *form, content = fields(archive, sha256_digest=None)
    response = index.post([content, *form, ("md5_digest", wheel().md5)])
    assert response.status_code == 400
    assert index.get("/demo/").status_code == 404


@pytest.mark.parametrize("content_type", ["application/octet-stream", None, "application/zip"])
def test_the_file_may_have_any_content_type(index: Index, content_type: str | None) -> None:
    archive = wheel()
    *form, _ = fields(archive)
    content = File(archive.filename, archive.data, content_type)
    assert index.post([*form, ("content", content)]).status_code == 200
    assert index.file(archive).content == archive.data


def test_the_journal_lists_all_values_of_a_repeated_field(index: Index) -> None:
    classifiers = ["Private :: Do Not Upload", "Programming Language :: Python"]
    index.post([*(("classifiers", classifier) for classifier in classifiers), *fields(wheel())])
    assert index.journal()[0]["form"]["classifiers"] == classifiers


@pytest.mark.parametrize("unknown", ["", "UNKNOWN"])
@pytest.mark.parametrize(
    "name", ["version", "filetype", "md5_digest", "blake2_256_digest", "requires_python", "comment"]
)
def test_empty_values_and_the_text_unknown_count_as_missing(
    index: Index, name: str, unknown: str
) -> None:
    assert index.upload(wheel(), **{name: unknown}).status_code == 200
    assert index.files()["demo-1.0-py3-none-any.whl"].get("requires-python") is None


@pytest.mark.parametrize(
    "name",
    [
        *("provides_extra", "provides_extras", "import_name", "import_names"),
        *("import_namespace", "import_namespaces", "supported_platform", "license_file"),
        *("protcol_version", "field-of-tomorrow"),
    ],
)
def test_unknown_fields_are_ignored(index: Index, name: str) -> None:
    response = index.post([(name, "one"), (name, "two"), *fields(wheel())])
    assert response.status_code == 200


@pytest.mark.parametrize("version", METADATA_VERSIONS)
def test_every_metadata_version_is_accepted(index: Index, version: str) -> None:
    for archive in (wheel(metadata_version=version), sdist(metadata_version=version)):
        assert index.upload(archive, metadata_version=version).status_code == 200
        assert index.file(archive).content == archive.data


@pytest.mark.parametrize("declared", ["1.0", "2.3", "2.6", "3.0", "nonsense"])
def test_the_metadata_version_of_the_form_may_differ_from_that_of_the_file(
    index: Index, declared: str
) -> None:
    response = index.upload(wheel(metadata_version="2.4"), metadata_version=declared)
    assert response.status_code == 200


def test_the_metadata_of_the_form_may_differ_from_those_of_the_file(index: Index) -> None:
    archive = wheel(requires_python=">=3.8")
    declared = {"requires_python": ">=2.7", "summary": "another", "pyversion": "cp27"}
    assert index.upload(archive, **declared).status_code == 200
    assert index.files()[archive.filename]["requires-python"] == ">=3.8"


@pytest.mark.parametrize("pyversion", [None, "", "source"])
def test_an_sdist_without_pyversion_is_accepted(index: Index, pyversion: str | None) -> None:
    assert index.upload(sdist(), pyversion=pyversion).status_code == 200


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_an_sdist_may_be_a_tar_or_zip_archive(index: Index, ending: str) -> None:
    archive = sdist(ending=ending, metadata_version="2.2")
    index.publish(archive)
    assert index.get(f"/demo/{archive.filename}.metadata").content == archive.metadata


def test_name_digest_and_content_are_sufficient(index: Index) -> None:
    """CloudRepo's own client sends only these fields."""
    archive = wheel()
    content = ("content", File(archive.filename, archive.data))
    response = index.post([("name", "Demo"), ("sha256_digest", archive.sha256), content])
    assert response.status_code == 200


@pytest.mark.parametrize("digest", ["sha256", "md5", "blake2_256"])
def test_one_digest_is_sufficient_and_may_be_in_upper_case(index: Index, digest: str) -> None:
    archive = wheel()
    declared = {f"{digest}_digest": getattr(archive, digest).upper()}
    assert index.upload(archive, **{"sha256_digest": None, **declared}).status_code == 200


def test_a_file_is_visible_before_the_response_to_its_upload(index: Index) -> None:
    for number in range(10):
        archive = wheel(version=f"{number}.0")
        assert index.upload(archive).status_code == 200
        assert archive.filename in index.files()
        assert index.get(f"/demo/{archive.filename}").status_code == 200
        listed = index.api_json("GET", "/projects/demo")["files"]
        assert archive.filename in {file["filename"] for file in listed}


@pytest.mark.parametrize(
    "attestations", ["[]", '[{"version": 1}]', "nonsense", "{}", "[" * 5000, '[{"a":' * 5000]
)
def test_invalid_attestations_do_not_reject_the_upload(index: Index, attestations: str) -> None:
    assert index.upload(wheel(), attestations=attestations).status_code == 200


def test_a_second_upload_replaces_the_first(index: Index) -> None:
    for value in ("1", "2", "3"):
        archive = wheel(module=f"x = {value}\n")
        assert index.upload(archive).status_code == 200
        assert index.html().count(f">{archive.filename}</a>") == 1
        assert index.file(archive).content == archive.data


def test_a_concurrent_reader_gets_the_old_or_the_new_file_never_a_mixture(index: Index) -> None:
    versions = [wheel(module=f"x = {value}\n", padding=value * 700_000) for value in (1, 2)]
    index.publish(versions[0])
    known = {archive.sha256 for archive in versions}
    seen: set[str] = set()
    failures: list[str] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            response = index.get(f"/demo/{versions[0].filename}")
            digest = Archive("", response.content).sha256
            seen.add(digest)
            if digest not in known or response.headers["ETag"] != f'"{digest}"':
                failures.append(f"{response.status_code} {digest}")

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(12):
        index.publish(versions[number % 2])
    done.set()
    reader.join()
    assert failures == []
    assert seen


def test_all_spellings_of_a_name_are_one_project(index: Index) -> None:
    names = ("Foo.Bar", "foo_bar", "FOO-BAR")
    for number, name in enumerate(names):
        version = f"{number}.0"
        stem = name.replace("-", "_")
        archive = wheel(name, version, filename=f"{stem}-{version}-py3-none-any.whl")
        assert index.upload(archive, name=name).status_code == 200
    assert index.json("/")["projects"] == [{"name": "foo-bar"}]
    assert len(index.files("foo-bar")) == 3


@pytest.mark.parametrize(
    ("filename", "project"),
    [
        ("zope.interface-6.0.tar.gz", "zope-interface"),
        ("ruamel.yaml-0.18.6-py3-none-any.whl", "ruamel-yaml"),
        ("Jinja2-3.1.tar.gz", "jinja2"),
        ("backports.ssl-match-hostname-3.7.0.1.tar.gz", "backports-ssl-match-hostname"),
        ("demo-1.0-1build-py2.py3-none-any.whl", "demo"),
        ("demo-1!2.0-py3-none-any.whl", "demo"),
        ("demo-1.0+cpu-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", "demo"),
    ],
)
def test_modern_and_legacy_file_names_are_accepted(
    index: Index, filename: str, project: str
) -> None:
    if filename.endswith(".whl"):
        stem = "-".join(filename.split("-")[:2])
        version = stem.split("-")[1]
        files = {f"{stem}.dist-info/METADATA": core_metadata(project, version)}
        archive = Archive(filename, zipped(files))
    else:
        archive = Archive(filename, tarred({"x/PKG-INFO": core_metadata(project, "1")}))
    response = index.upload(archive, name=project, version=None)
    assert response.status_code == 200, response.text
    assert index.file(archive, project).content == archive.data


@pytest.mark.parametrize("quoting", ['"{}"', "{}", '"{}" '])
def test_a_boundary_may_be_quoted(index: Index, quoting: str) -> None:
    form = encode(fields(wheel()))
    content_type = f"multipart/form-data; charset=utf-8; boundary={quoting.format(BOUNDARY)}"
    assert index.send(Form(content_type, form.body)).status_code == 200


def test_a_line_break_may_precede_the_first_boundary(index: Index) -> None:
    form = encode(fields(wheel()))
    assert index.send(Form(form.content_type, b"\r\n" + form.body)).status_code == 200


def test_file_content_that_resembles_a_boundary_is_kept(index: Index) -> None:
    marks = f"\r\n--{BOUNDARY[:-1]}\r\n\r\n--\r\n--{BOUNDARY}".encode()
    data = zipped({"demo-1.0.dist-info/METADATA": core_metadata("demo", "1.0")}) + marks[:-3]
    archive = Archive("demo-1.0-py3-none-any.whl", data)
    response = index.upload(archive)
    assert response.status_code == 200, response.text
    assert index.file(archive).content == data


def test_a_form_may_be_sent_with_http_1_0(index: Index) -> None:
    form = encode(fields(wheel()))
    data = posted(index, form).replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1)
    with connect(index.url) as connection:
        connection.send(data)
        response = connection.read_response()
        assert (response.status, response.version) == (200, "HTTP/1.0")
        assert connection.closed_by_server()
    assert len(index.files()) == 1


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_a_form_may_be_sent_with_chunked_encoding(index: Index, size: int) -> None:
    archive = wheel()
    form = encode(fields(archive))
    whole = Form(form.content_type, chunked(form.body, size))
    response = exchange(index.url, posted(index, whole, **{"Transfer-Encoding": "chunked"}))
    assert response.status == 200
    assert index.file(archive).content == archive.data


def test_a_waiting_client_receives_100_continue(index: Index) -> None:
    form = encode(fields(wheel()))
    data = posted(index, form, Expect="100-continue", **{"Content-Length": str(len(form.body))})
    head = data.removesuffix(form.body)
    with connect(index.url) as connection:
        connection.send(head)
        assert connection.read_response().status == 100
        connection.send(form.body)
        assert connection.read_response().status == 200
        connection.send(request(f"GET {index.path}/demo/ HTTP/1.1", index.authorization))
        assert connection.read_response().status == 200


def test_a_form_may_arrive_byte_by_byte(index: Index) -> None:
    data = posted(index, encode(fields(wheel())))
    with connect(index.url) as connection:
        for start in range(len(data)):
            connection.send(data[start : start + 1])
        assert connection.read_response().status == 200


def test_one_connection_carries_many_uploads(index: Index) -> None:
    with connect(index.url) as connection:
        for number in range(5):
            connection.send(posted(index, encode(fields(wheel(version=f"{number}.0")))))
            assert connection.read_response().status == 200
    assert len(re.findall("<a ", index.html())) == 5
