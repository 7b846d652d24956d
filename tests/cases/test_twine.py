"""Tests of twine, rewritten with the fixtures of pytest-cloudrepo."""

import pytest
from twine.utils import DEFAULT_REPOSITORY


def test_an_uploaded_file_is_in_the_index(cloudrepo, cloudrepo_package):
    """The index lists a file after its upload.

    twine, tests/test_integration.py, test_devpi_upload
    """
    wheel = cloudrepo_package("twine-sampleproject", "3.0.0")
    login = ("--username", cloudrepo.username, "--password", cloudrepo.password)
    cloudrepo.run("twine", "upload", "--repository-url", cloudrepo.url, *login, wheel)
    assert cloudrepo.files("twine-sampleproject") == [wheel.name]


@pytest.mark.parametrize("dialect", ["pypi", "devpi", "pypiserver"])
def test_skip_existing_recognizes_the_rejections_of_every_registry(
    cloudrepo_factory, cloudrepo_package, dialect
):
    """`--skip-existing` recognizes how each registry rejects an existing file.

    twine, tests/test_upload.py, test_skip_existing_skips_files_on_repository
    """
    index = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    index.publish(cloudrepo_package("demo", "1.0"))
    changed = cloudrepo_package("demo", "1.0", files={"demo.py": "changed = True"})
    # twine supports the option for two hosts only. One of them is the host of its default URL.
    environ = index.impersonate(DEFAULT_REPOSITORY)
    skipped = index.run("twine", "upload", "--skip-existing", changed, environ=environ)
    assert f"Skipping {changed.name}" in skipped.stdout
    assert [upload.refused for upload in index.requests.uploads()] == [True]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_rejection_is_explained_with_verbose(cloudrepo, cloudrepo_package, verbose):
    """A rejected upload fails with the reason; `--verbose` shows more details.

    twine, tests/test_upload.py, test_exception_for_http_status
    """
    twine = ("twine", "upload", *(["--verbose"] if verbose else []))
    with cloudrepo.fault("status", status=403, reason="Invalid or non-existent login"):
        failed = cloudrepo.run(*twine, cloudrepo_package("demo", "1.0"), check=False)
    assert "Invalid or non-existent login" in failed.output
    assert ("Retry with the --verbose option" in failed.output) is not verbose
    assert "View at:" not in failed.output
