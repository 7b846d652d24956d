"""Each condition of PyPI's rules with several conditions, and the order of broken rules."""

from __future__ import annotations

import pytest

from tests.support.index import Index, Server
from tests.support.pypi_rules import Upload, delete, with_license
from tests.support.trust import minted, trust

REFERENCE = "x @ https://example.com/x.whl"


def with_file(name: str, content: bytes) -> Upload:
    """Return an upload whose folder `.dist-info` has this file."""
    path = f"demo-1.0.dist-info/{name}"
    return Upload(change_files=lambda files: files.update({path: content}))


def damage_last_entry(data: bytes) -> bytes:
    """Return a zip file whose list of members has an invalid entry; zipfile checks the first."""
    before, _, after = data.rpartition(b"PK\x01\x02")
    return before + b"PK\x01\x03" + after


def entry_points(text: bytes) -> Upload:
    return with_file("entry_points.txt", text)


BROKEN: dict[str, list[tuple[Upload, str]]] = {
    "registration": [
        (Upload(form_only={":action": "submit_pkg_info"}), "Project pre-registration")
    ],
    "project-name": [
        (Upload(form_only={"name": None}), "'' is an invalid value for Name. Error: This field is"),
        (Upload(form_only={"name": "dé"}), "is an invalid value for Name. Error: Start"),
        (
            Upload(form_only={"name": "-" + "a" * 60}),
            f"'-{'a' * 29}...{'a' * 30}' is an invalid value for Name.",
        ),
    ],
    # The standard library of Python 2 had `Carbon.AE`, and no module `Carbon`.
    "standard-library-name": [(Upload(name="carbon"), "The name 'carbon' isn't allowed (conflict")],
    "filetype": [
        (Upload(form_only={"filetype": None}), "Invalid value for filetype. Error: This field is"),
        (Upload(form_only={"filetype": "bdist_wininst"}), "Error: Use a known file type."),
    ],
    "python-version": [
        (Upload(kind="sdist", form_only={"pyversion": "py3"}), "Error: Use 'source' as Python"),
    ],
    "digest-format": [
        (Upload(form_only={"blake2_256_digest": "0" * 63}), "Invalid value for blake2_256_digest."),
        (Upload(form_only={"sha256_digest": "x" * 64}), "Invalid value for sha256_digest."),
    ],
    "field-structure": [
        (
            Upload({"project_urls": ["A, https://a.example", "A, https://b.example"]}),
            "'project_urls'",
        ),
    ],
    "metadata-version": [
        (Upload({"metadata_version": "3.0"}), "'3.0' is not a valid metadata"),
        # The newest `packaging` knows this version, but PyPI does not.
        (Upload({"metadata_version": "2.6"}), "'2.6' is not a valid metadata"),
    ],
    "email": [(Upload({"maintainer_email": "B <a@b..c>"}), "'a@b..c' is not a valid email")],
    "classifier": [
        (Upload({"classifiers": ["Private :: Do Not Upload"]}), "is not a valid classifier."),
    ],
    "description-content-type": [
        (
            Upload({"description_content_type": "text/markdown; charset=latin-1"}),
            "can only specify",
        ),
        (Upload({"description_content_type": "text/markdown; variant=None"}), "'None'"),
    ],
    "url": [(Upload({"download_url": "example.com"}), "'example.com' is not a valid url.")],
    "project-url": [
        (Upload({"project_urls": [", https://example.com"]}), "Must have a label."),
        (Upload({"project_urls": ["Source,"]}), "Must have a URL."),
        (
            Upload({"project_urls": ["Source, ftp://example.com"]}),
            "'ftp://example.com' is not a valid",
        ),
    ],
    "dynamic": [(Upload({"dynamic": ["Version"]}), "'version' is not allowed as a dynamic field")],
    "provides-dist": [
        (
            Upload({"obsoletes_dist": ["no requirement at all"]}),
            "'no requirement at all' is invalid",
        ),
    ],
    "direct-reference": [
        (Upload({"provides_dist": [REFERENCE]}), f"Can't have direct dependency: '{REFERENCE}'"),
        (Upload({"obsoletes_dist": [REFERENCE]}), f"Can't have direct dependency: '{REFERENCE}'"),
    ],
    "import-name": [
        (
            Upload({"metadata_version": "2.5", "import_namespace": ["no name"]}),
            "'no name' is invalid for 'import-namespace'",
        ),
    ],
    "license-file-path": [
        (Upload({"license_file": ["/LICENSE"]}), "'/LICENSE' is invalid for 'license-file'"),
        (Upload({"license_file": ["LICEN*E"]}), "'LICEN*E' is invalid for 'license-file'"),
    ],
    "description": [
        (
            Upload({"description": ".. x::\n", "description_content_type": "text/x-rst"}),
            "The description failed to render for 'text/x-rst'.",
        ),
    ],
    "filename-characters": [
        (Upload(filename="x\\demo-1.0-py3-none-any.whl"), "Cannot upload a file with '/' or '\\'"),
        (Upload(filename="x\x7f-1.0-py3-none-any.whl"), "non-printable characters"),
    ],
    "file-extension": [
        (Upload(filename="demo-1.0.egg"), "Use .tar.gz, .whl or .zip extension."),
        (Upload(filename="demo-1.0-py3-none-any.WHL"), "Extension .WHL is invalid"),
        (
            Upload(kind="sdist", filename="demo-1.0.whl"),
            "Extension .whl is invalid for filetype sdist",
        ),
    ],
    "file-content-type": [(Upload(content_type=""), "Invalid distribution file.")],
    "digest": [
        (Upload(form_only={"md5_digest": "0" * 32}), "The digest supplied does not match"),
        (Upload(form_only={"blake2_256_digest": "0" * 64}), "The digest supplied does not match"),
    ],
    "not-a-zip": [
        (Upload(kind="zip", change_data=lambda _: b"no zip"), "File is not a zipfile"),
    ],
    "top-level-folder": [
        (
            Upload(kind="zip", change_files=lambda files: files.update({"other": b""})),
            "Incorrect number of top-level directories in sdist",
        ),
    ],
    "pkg-info": [
        (
            Upload(kind="zip", change_files=lambda files: delete(files, "/PKG-INFO")),
            "PKG-INFO not found at demo-1.0/setup.py/PKG-INFO",
        ),
    ],
    "sdist-normalized": [
        (Upload(kind="zip"), "Filename 'demo-1.0.zip' is invalid, should be 'demo-1.0.tar.gz'."),
        (Upload(kind="sdist", version="1.0-1"), "should be 'demo-1.0.post1.tar.gz'."),
    ],
    "license-file": [
        (
            Upload(
                {"license_expression": "MIT", "license_file": ["LICENSE"]},
                kind="sdist",
                change_files=with_license("demo-1.0/docs/LICENSE"),
            ),
            "in distribution file demo-1.0.tar.gz at demo-1.0/LICENSE",
        ),
    ],
    "record": [(with_file("RECORD", b"\xff"), "does not contain the required RECORD file")],
    "entry-points": [
        (entry_points(b"[gui_scripts]\na b = demo:main\n"), "has invalid entry points"),
        (entry_points(b"no section\n"), "has invalid entry points"),
        (entry_points(b"\xff"), "has invalid entry points"),
    ],
    "attestation-login": [
        (Upload(form_only={"attestations": ""}), "Attestations are only supported when using"),
    ],
    # The end of the zip file is valid, but the list of its members is not.
    "unreadable": [
        (
            Upload(change_data=damage_last_entry),
            "Invalid distribution file.",
        ),
        (
            Upload(kind="zip", change_data=damage_last_entry),
            "Invalid distribution file.",
        ),
    ],
}


@pytest.fixture(scope="module")
def pypi(server: Server) -> Index:
    """A repository in which no upload of this module succeeds."""
    return server.repository(dialect="pypi")


@pytest.mark.parametrize(
    ("rule", "upload", "words"),
    [(rule, *case) for rule, cases in BROKEN.items() for case in cases],
)
def test_each_condition_of_a_rule_rejects_an_upload(
    pypi: Index, rule: str, upload: Upload, words: str
) -> None:
    response = pypi.post(upload.form())
    # From the beginning of a word.
    assert f" {words}" in f" {response.reason}"
    assert response.json()["rule"] == rule
    assert response.status_code == (410 if rule == "registration" else 400)


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"metadata_version": "2.0", "version": "x"}, "metadata-version"),
        ({"version": "x", "author_email": "a@b..c", "classifiers": ["x"]}, "version"),
        ({"summary": "x" * 513, "classifiers": ["x"], "author_email": "a@b..c"}, "email"),
        ({"summary": "x" * 513, "classifiers": ["x"]}, "classifier"),
        # What the library packaging rejects comes before PyPI's own rules.
        ({"requires_python": "x", "author_email": "a@b..c"}, "requires-python"),
    ],
)
def test_several_rules_are_checked_in_the_order_of_pypi(
    pypi: Index, fields: dict[str, str | list[str]], rule: str
) -> None:
    response = pypi.post(Upload(form_only=fields).form())
    assert (response.status_code, response.json()["rule"]) == (400, rule)


def test_the_form_is_checked_before_the_metadata_and_the_metadata_before_the_file(
    pypi: Index,
) -> None:
    everything = {"filetype": "x", "summary": "x" * 513}
    broken = Upload(form_only=everything, filename="x.egg")
    assert pypi.post(broken.form()).json()["rule"] == "filetype"
    broken = Upload({"summary": "x" * 513}, filename="x.egg")
    assert pypi.post(broken.form()).json()["rule"] == "summary-length"
    broken = Upload(filename="x.egg", form_only={"md5_digest": "0" * 32})
    assert pypi.post(broken.form()).json()["rule"] == "file-extension"


def test_a_publisher_of_another_project_gets_403_if_the_project_exists(server: Server) -> None:
    index = server.repository(dialect="pypi")
    trust(index, project="demo")
    assert index.post(Upload(name="other").form()).status_code == 200
    login = ("__token__", minted(index))
    rejected = index.post(Upload(name="other", version="2.0").form(), auth=login)
    assert rejected.status_code == 403
    assert "OIDC scoped token is not valid for project 'other'" in rejected.reason
    # A project without files exists too if it is reserved.
    trust(index, project="reserved", fields={"repository": "acme/x", "workflow": "x.yml"})
    assert index.post(Upload(name="reserved").form(), auth=login).status_code == 400
    token = index.api_json(
        "POST",
        "/identity-tokens",
        {"provider": "github", "claims": {"repository": "acme/x", "workflow": "x.yml"}},
    )["token"]
    minted(index, token)
    assert index.post(Upload(name="reserved").form(), auth=login).status_code == 403
