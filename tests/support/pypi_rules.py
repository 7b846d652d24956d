"""A broken and a corrected upload for each of PyPI's rules."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.support.archives import Archive, tarred, zipped
from tests.support.attestations import GITHUB, attested
from tests.support.forms import Field, File
from tests.support.index import Index
from tests.support.trust import minted, trust

HEADERS = {
    "classifiers": "Classifier",
    "project_urls": "Project-URL",
    "home_page": "Home-page",
    "download_url": "Download-URL",
    "author_email": "Author-email",
    "maintainer_email": "Maintainer-email",
}
Fields = Mapping[str, str | Sequence[str] | None]
Files = dict[str, bytes]


@dataclass(frozen=True)
class Upload:
    """A file, and the form that a client sends with it.

    `fields` are fields of the form that differ from those of a valid release; those of the metadata
    are also in the file. None removes a field.
    """

    fields: Fields = field(default_factory=dict)
    kind: str = "wheel"
    name: str = "demo"
    version: str = "1.0"
    filename: str | None = None
    content_type: str | None = "application/octet-stream"
    change_files: Callable[[Files], object] | None = None
    change_data: Callable[[bytes], bytes] | None = None
    form_only: Fields = field(default_factory=dict)
    """Fields of the form that are not in the metadata of the file."""
    has_file: bool = True

    def metadata_fields(self) -> dict[str, str | Sequence[str] | None]:
        return {
            "metadata_version": "2.4",
            "name": self.name,
            "version": self.version,
            **self.fields,
        }

    def metadata(self) -> bytes:
        lines = []
        for name, value in self.metadata_fields().items():
            header = HEADERS.get(name, name.replace("_", "-").title())
            values = [value] if isinstance(value, str) else value or []
            lines += [f"{header}: {each}\n" for each in values if name != "description"]
        description = self.fields.get("description")
        return ("".join(lines) + f"\n{description or ''}").encode()

    def archive(self) -> Archive:
        stem = f"{self.name.replace('-', '_')}-{self.version}"
        if self.kind == "wheel":
            info = f"{stem}.dist-info"
            files: Files = {
                "demo.py": b"x = 1\n",
                f"{info}/METADATA": self.metadata(),
                f"{info}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
                f"{info}/RECORD": b"demo.py,,\n",
            }
        else:
            files = {f"{stem}/PKG-INFO": self.metadata(), f"{stem}/setup.py": b"\n"}
        if self.change_files is not None:
            self.change_files(files)
        data = zipped(files) if self.kind != "sdist" else tarred(files)
        if self.change_data is not None:
            data = self.change_data(data)
        endings = {"wheel": "-py3-none-any.whl", "sdist": ".tar.gz", "zip": ".zip"}
        return Archive(self.filename or stem + endings[self.kind], data)

    def form(self) -> list[Field]:
        archive = self.archive()
        is_wheel = self.kind == "wheel"
        values: dict[str, str | Sequence[str] | None] = {
            ":action": "file_upload",
            "protocol_version": "1",
            "filetype": "bdist_wheel" if is_wheel else "sdist",
            "pyversion": "py3" if is_wheel else "source",
            "sha256_digest": archive.sha256,
            **self.metadata_fields(),
            **self.form_only,
        }
        form: list[Field] = []
        for name, value in values.items():
            each = [value] if isinstance(value, str) else value or []
            form += [(name, text) for text in each]
        if self.has_file:
            form.append(("content", File(archive.filename, archive.data, self.content_type)))
        return form


@dataclass(frozen=True)
class Case:
    """An upload that breaks a rule, and one that does not."""

    rule: str
    broken: Upload
    words: str
    corrected: Upload = Upload()
    status: int = 400
    in_check: bool = True
    """Whether `cloudrepo-server check` finds it too, since it is in the file."""
    settings: Mapping[str, object] = field(default_factory=dict)
    before: Callable[[Index], object] | None = None
    login: Callable[[Index], tuple[str, str]] | None = None
    """Returns the login of the upload. By default it is that of a user."""

    @property
    def id(self) -> str:
        return self.rule


def metadata(rule: str, words: str, broken: Fields, corrected: Fields | None = None) -> Case:
    return Case(rule, Upload(broken), words, Upload(corrected or {}))


def form(rule: str, words: str, broken: Fields, *, status: int = 400) -> Case:
    return Case(rule, Upload(form_only=broken), words, status=status, in_check=False)


def filename(rule: str, words: str, broken: Upload, corrected: Upload | None = None) -> Case:
    return Case(rule, broken, words, corrected or replace(broken, filename=None))


def content(rule: str, words: str, change: Callable[[Files], object], kind: str = "wheel") -> Case:
    return Case(rule, Upload(kind=kind, change_files=change), words, Upload(kind=kind))


def data(rule: str, words: str, change: Callable[[bytes], bytes], kind: str = "wheel") -> Case:
    return Case(rule, Upload(kind=kind, change_data=change), words, Upload(kind=kind))


def existing(
    rule: str,
    words: str,
    before: Callable[[Index], object],
    broken: Upload,
    corrected: Upload,
    **settings: object,
) -> Case:
    return Case(rule, broken, words, corrected, in_check=False, before=before, settings=settings)


def delete(files: Files, ending: str) -> None:
    for path in [path for path in files if path.endswith(ending)]:
        del files[path]


def compressed_otherwise(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return zipped(files, compression=zipfile.ZIP_BZIP2)


def with_sparse_member(data: bytes) -> bytes:
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in old.getmembers():
            new.addfile(member, old.extractfile(member))
        sparse = tarfile.TarInfo("demo-1.0/sparse")
        # The format 0.1: the pieces of the file are in a header.
        sparse.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "1"}
        sparse.size = 1
        new.addfile(sparse, io.BytesIO(b"x"))
    return out.getvalue()


def zip_and_tar(data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("demo"))
    return out.getvalue() + data


def upload_first(upload: Upload) -> Callable[[Index], None]:
    def before(index: Index) -> None:
        response = index.post(upload.form())
        assert response.status_code == 200, response.reason

    return before


def upload_and_delete(index: Index) -> None:
    upload_first(Upload())(index)
    index.api_json("DELETE", f"/files/{Upload().archive().filename}")


def upload_long_ago(index: Index) -> None:
    upload_first(Upload())(index)
    filename = Upload().archive().filename
    index.api_json("PATCH", f"/files/{filename}", {"upload_time": "2020-01-01T00:00:00Z"})


def with_license(path: str) -> Callable[[Files], object]:
    return lambda files: files.update({path: b"MIT"})


def attested_upload() -> Upload:
    return Upload(form_only={"attestations": attested(Upload().archive())})


def trusted_publisher(index: Index, project: str | None = None) -> tuple[str, str]:
    trust(index, project=project)
    return "__token__", minted(index)


def attestations(rule: str, words: str, broken: str) -> Case:
    return Case(
        rule,
        Upload(form_only={"attestations": broken}),
        words,
        attested_upload(),
        in_check=False,
        login=trusted_publisher,
    )


LICENSE = {"license_expression": "MIT", "license_file": ["LICENSE"]}
SAME = Upload(kind="sdist")
OTHER = Upload(change_files=lambda files: files.update({"demo.py": b"x = 2\n"}))

CASES = (
    form("registration", "Project pre-registration is no", {":action": "submit"}, status=410),
    form("documentation", "Uploading documentation is no", {":action": "doc_upload"}, status=410),
    form("protocol-version", "Unknown protocol version.", {"protocol_version": "2"}),
    Case(
        "project-name",
        Upload(name="demo-"),
        "'demo-' is an invalid value for Name. Error: Start and end with a letter",
        Upload(name="demo"),
    ),
    form("digest-format", "Invalid value for sha256_digest.", {"sha256_digest": "abc"}),
    form(
        "filetype",
        "Invalid value for filetype. Error: Use a known file type.",
        {"filetype": "bdist_egg"},
    ),
    form("python-version", "Invalid value for pyversion.", {"pyversion": None}),
    form("digest-present", "Error: Include at least one message digest.", {"sha256_digest": None}),
    metadata(
        "field-structure",
        "'summary' has invalid data",
        {"summary": ["one", "two"]},
        {"summary": "one"},
    ),
    metadata(
        "field-version",
        "dynamic introduced in metadata version 2.2, not 2.1",
        {"metadata_version": "2.1", "dynamic": ["summary"]},
        {"metadata_version": "2.2", "dynamic": ["summary"]},
    ),
    metadata(
        "metadata-version",
        "'2.0' is not a valid metadata version",
        {"metadata_version": "2.0"},
        {"metadata_version": "2.5"},
    ),
    metadata("version", "'1.0-x-y' is invalid for 'version'", {"version": "1.0-x-y"}),
    Case(
        "local-version",
        Upload(version="1.0+dirty"),
        "The use of local versions in '1.0+dirty' is not allowed.",
    ),
    metadata(
        "email",
        "'a@b..c' is not a valid email address",
        {"author_email": "A <a@b..c>"},
        {"author_email": "A <a@example.com>", "maintainer_email": "b@example.com"},
    ),
    metadata(
        "classifier",
        "'Topic :: No Such Thing' is not a valid classifier.",
        {"classifiers": ["Topic :: No Such Thing"]},
        {"classifiers": ["Topic :: Software Development"]},
    ),
    metadata(
        "deprecated-classifier",
        "The classifier 'Natural Language :: Ukranian' has been deprecated",
        {"classifiers": ["Natural Language :: Ukranian"]},
        {"classifiers": ["Natural Language :: Ukrainian"]},
    ),
    metadata(
        "description-content-type",
        "'description-content-type' must be one of",
        {"description_content_type": "text/html"},
        {"description_content_type": "text/markdown; charset=UTF-8; variant=CommonMark"},
    ),
    metadata(
        "url",
        "'ftp://example.com' is not a valid url.",
        {"home_page": "ftp://example.com"},
        {"home_page": "https://example.com", "download_url": "http://example.com/"},
    ),
    metadata(
        "dynamic",
        "'no-such-field' is not a valid dynamic field",
        {"dynamic": ["No-Such-Field"]},
        {"dynamic": ["Home-Page"]},
    ),
    metadata(
        "import-name",
        "'no name' is invalid for 'import-name'",
        {"metadata_version": "2.5", "import_name": ["no name"]},
        {"metadata_version": "2.5", "import_name": ["demo.name"]},
    ),
    metadata(
        "two-licenses",
        "License is deprecated when License-Expression is present.",
        {"license": "MIT", "license_expression": "MIT"},
        {"license_expression": "MIT"},
    ),
    metadata(
        "license-expression",
        "'No License' is invalid for 'license-expression'",
        {"license_expression": "No License"},
        {"license_expression": "MIT OR Apache-2.0"},
    ),
    metadata(
        "license-file-path",
        "'../LICENSE' is invalid for 'license-file'",
        {"license_file": ["../LICENSE"]},
    ),
    metadata(
        "project-url",
        "must be 32 characters or less",
        {"project_urls": ["x" * 33 + ", https://example.com"]},
        {"project_urls": ["Source, https://example.com"]},
    ),
    metadata(
        "provides-dist",
        "'no requirement at all' is invalid",
        {"provides_dist": ["no requirement at all"]},
        {"provides_dist": ["demo"], "obsoletes_dist": ["demo<1"]},
    ),
    metadata(
        "provides-extra",
        "'-' is invalid for 'provides-extra'",
        {"provides_extra": ["-"]},
        {"provides_extra": ["test"]},
    ),
    metadata(
        "requires-dist",
        "'no requirement at all' is invalid for 'requires-dist'",
        {"requires_dist": ["no requirement at all"]},
        {"requires_dist": ["requests>=2; python_version<'3.13'"]},
    ),
    metadata(
        "direct-reference",
        "Can't have direct dependency: requests @ https://example.com/requests.whl",
        {"requires_dist": ["requests @ https://example.com/requests.whl"]},
        {"requires_dist": ["requests"]},
    ),
    metadata(
        "requires-python",
        "'3.11 or so' is invalid for 'requires-python'",
        {"requires_python": "3.11 or so"},
        {"requires_python": ">=3.11"},
    ),
    form("summary-line", "'summary' must be a single line", {"summary": "one\ntwo"}),
    metadata(
        "summary-length",
        "'summary' field must be 512 characters or less.",
        {"summary": "x" * 513},
        {"summary": "x" * 512},
    ),
    Case(
        "file-present",
        Upload(has_file=False),
        "Upload payload does not have a file.",
        in_check=False,
    ),
    Case(
        "project-creator",
        Upload(name="other"),
        "Non-user identities cannot create new projects.",
        Upload(name="demo"),
        in_check=False,
        login=lambda index: trusted_publisher(index, project="demo"),
    ),
    Case(
        "standard-library-name",
        Upload(name="asyncore"),
        "The name 'asyncore' isn't allowed (conflict with Python Standard Library module name)",
    ),
    Case(
        "prohibited-name",
        Upload(name="taken"),
        "The name 'taken' isn't allowed.",
        settings={"prohibited_names": ["taken"]},
        in_check=False,
    ),
    existing(
        "similar-name",
        "The name 'dern0' is too similar to an existing project.",
        upload_first(Upload(name="de_rno")),
        Upload(name="dern0"),
        Upload(name="dern2"),
    ),
    metadata(
        "description",
        "The description failed to render in the default format of reStructuredText.",
        {"description": "Title\n===\n\n.. no-such-directive::\n"},
        {"description": "Title\n=====\n\n*text*\n"},
    ),
    Case(
        "filename-characters",
        Upload(filename="demo-1.0\x1f-py3-none-any.whl"),
        "Cannot upload a file with non-printable characters",
    ),
    # The extension of a file on a disk determines its type.
    Case(
        "file-extension",
        Upload(filename="demo-1.0.tar.gz"),
        "Invalid file extension: Extension .tar.gz is invalid for filetype bdist_wheel.",
        in_check=False,
    ),
    Case(
        "file-content-type",
        Upload(content_type="image/png"),
        "Invalid distribution file.",
        Upload(content_type="application/zip"),
        in_check=False,
    ),
    Case(
        "file-size",
        Upload(change_files=lambda files: files.update({"big.py": bytes(range(256)) * 99})),
        "File too large. Limit for project 'demo' is 1000 bytes.",
        in_check=False,
        settings={"max_file_size": 1000},
    ),
    existing(
        "project-size",
        "Project size too large. Limit for project 'demo' total size is 1000 bytes.",
        upload_first(Upload()),
        Upload(version="2.0", filename="demo-2.0-py3-none-any.whl"),
        Upload(name="other"),
        max_project_size=1000,
    ),
    form(
        "digest",
        "The digest supplied does not match a digest calculated from the uploaded file.",
        {"sha256_digest": "0" * 64},
    ),
    existing(
        "file-exists",
        f"File already exists ('demo-1.0-py3-none-any.whl', with blake2_256 hash "
        f"'{OTHER.archive().blake2_256}').",
        upload_first(Upload()),
        OTHER,
        Upload(),
    ),
    existing(
        "filename-reused",
        "This filename was previously used by a file that has since been deleted.",
        upload_and_delete,
        OTHER,
        Upload(version="2.0"),
    ),
    existing(
        "release-age",
        "Uploading new files to releases older than 14 days is not allowed.",
        upload_long_ago,
        SAME,
        Upload(version="2.0"),
    ),
    existing(
        "one-sdist",
        "Only one sdist may be uploaded per release.",
        upload_first(SAME),
        Upload(kind="zip"),
        Upload(),
    ),
    data("zip-and-tar", "File is both a zip and a tar file", zip_and_tar),
    data("not-a-zip", "Invalid distribution file. File is not a zipfile", lambda _: b"no zip"),
    content(
        "compression-ratio",
        "Invalid distribution file. File exceeds compression ratio of 50",
        lambda files: files.update({"zeros": bytes(65 << 20)}),
    ),
    data(
        "compression-type",
        "Invalid distribution file. File does not use a supported compression type",
        compressed_otherwise,
    ),
    filename(
        "wheel-parts",
        "Invalid distribution file. Unable to parse name and version from wheel filename",
        Upload(filename="demo.whl"),
    ),
    content(
        "wheel-file",
        "Invalid distribution file. WHEEL not found at demo-1.0.dist-info/WHEEL",
        lambda files: delete(files, "/WHEEL"),
    ),
    data(
        "zip-records",
        "Invalid distribution file. ZIP archive not accepted: Trailing data",
        lambda data: data + b"more",
    ),
    data("not-a-tar", "Invalid distribution file. File is not a tarfile", lambda _: b"x", "sdist"),
    data("sparse-members", "Sparse members are not allowed", with_sparse_member, "sdist"),
    content(
        "top-level-folder",
        "Incorrect number of top-level directories in sdist",
        lambda files: files.update({"other/file": b""}),
        "sdist",
    ),
    content(
        "pkg-info",
        "PKG-INFO not found at demo-1.0/PKG-INFO",
        lambda files: files.update({"demo-1.0/x": files.pop("demo-1.0/PKG-INFO")}),
        "sdist",
    ),
    data("unreadable", "Invalid distribution file.", lambda data: data[:-40], "sdist"),
    filename(
        "sdist-name",
        "Invalid source distribution filename: demo.tar.gz",
        Upload(kind="sdist", filename="demo.tar.gz"),
    ),
    filename(
        "wheel-name",
        "Invalid wheel filename",
        Upload(filename="demo-1.0-any.whl"),
    ),
    Case(
        "platform-tag",
        Upload(filename="demo-1.0-cp313-cp313-linux_x86_64.whl"),
        "Binary wheel 'demo-1.0-cp313-cp313-linux_x86_64.whl' has an unsupported platform tag "
        "'linux_x86_64'.",
        Upload(filename="demo-1.0-cp313-cp313-manylinux_2_28_x86_64.whl"),
    ),
    filename(
        "filename-project",
        "Start filename for 'demo' with 'demo'.",
        Upload(kind="sdist", filename="other-1.0.tar.gz"),
    ),
    filename(
        "sdist-normalized",
        "Filename 'Demo-1.0.tar.gz' is invalid, should be 'demo-1.0.tar.gz'.",
        Upload(kind="sdist", filename="Demo-1.0.tar.gz"),
    ),
    Case(
        "wheel-normalized",
        Upload(name="Demo"),
        "Filename 'Demo-1.0-py3-none-any.whl' should contain the normalized project name 'demo', "
        "not 'Demo'.",
    ),
    Case(
        "filename-version",
        Upload(form_only={"version": "1.1"}),
        "Version in filename should be '1.1' not '1.0'.",
        in_check=False,
    ),
    Case(
        "filename-length",
        Upload(filename=f"demo-1.0-{'.'.join(['py3'] * 57)}-none-any.whl"),
        "Filename is too long: 'demo-1.0-py3",
    ),
    Case(
        "license-file",
        Upload(LICENSE),
        "License-File LICENSE does not exist in distribution file demo-1.0-py3-none-any.whl at "
        "demo-1.0.dist-info/licenses/LICENSE",
        Upload(LICENSE, change_files=with_license("demo-1.0.dist-info/licenses/LICENSE")),
    ),
    content(
        "record",
        "Wheel 'demo-1.0-py3-none-any.whl' does not contain the required RECORD file: "
        "demo-1.0.dist-info/RECORD",
        lambda files: delete(files, "/RECORD"),
    ),
    content(
        "entry-points",
        "Wheel 'demo-1.0-py3-none-any.whl' has invalid entry points",
        lambda files: files.update(
            {"demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\n../demo = demo:main\n"}
        ),
    ),
    content(
        "metadata-file",
        "Wheel 'demo-1.0-py3-none-any.whl' does not contain the required METADATA file: "
        "demo-1.0.dist-info/METADATA",
        lambda files: delete(files, "/METADATA"),
    ),
    Case(
        "attestation-login",
        attested_upload(),
        "Attestations are only supported when using Trusted Publishing",
        in_check=False,
    ),
    attestations("attestations", "an empty attestation set is not permitted", "[]"),
    attestations(
        "attestation-signer",
        "Certificate's OIDCSourceRepositoryURI does not match",
        attested(Upload().archive(), {**GITHUB, "source": "https://github.com/acme/other"}),
    ),
    attestations(
        "attestation-subject",
        "subject does not match distribution digest",
        attested(replace(Upload().archive(), data=b"")),
    ),
)
