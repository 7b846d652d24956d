"""What twine's own tests ask of an index."""

import pytest
from twine.utils import DEFAULT_REPOSITORY


def test_an_index_takes_an_upload(cloudrepo, cloudrepo_package):
    """A file that is uploaded is there.

    twine, tests/test_integration.py, test_devpi_upload
    """
    wheel = cloudrepo_package("twine-sampleproject", "3.0.0")
    login = ("--username", cloudrepo.username, "--password", cloudrepo.password)
    cloudrepo.run("twine", "upload", "--repository-url", cloudrepo.url, *login, wheel)
    assert cloudrepo.files("twine-sampleproject") == [wheel.name]


@pytest.mark.parametrize("dialect", ["pypi", "devpi", "pypiserver"])
def test_what_is_there_is_skipped_wherever(cloudrepo_factory, cloudrepo_package, dialect):
    """`--skip-existing` knows each registry's refusal of a file that it has.

    twine, tests/test_upload.py, test_skip_existing_skips_files_on_repository
    """
    index = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    index.publish(cloudrepo_package("demo", "1.0"))
    other = cloudrepo_package("demo", "1.0", files={"demo.py": "other = True"})
    # twine refuses the flag for all hosts but two: this is where it uploads to if nobody says.
    environ = index.impersonate(DEFAULT_REPOSITORY)
    skipped = index.run("twine", "upload", "--skip-existing", other, environ=environ)
    assert f"Skipping {other.name}" in skipped.stdout
    assert [upload.refused for upload in index.requests.uploads()] == [True]


@pytest.mark.parametrize("verbose", [False, True])
def test_a_refusal_is_told_and_explained_if_asked(cloudrepo, cloudrepo_package, verbose):
    """A refused upload ends in an error, which `--verbose` explains, and in no release's URL.

    twine, tests/test_upload.py, test_exception_for_http_status
    """
    twine = ("twine", "upload", *(["--verbose"] if verbose else []))
    with cloudrepo.fault("status", status=403, reason="Invalid or non-existent login"):
        failed = cloudrepo.run(*twine, cloudrepo_package("demo", "1.0"), check=False)
    assert "Invalid or non-existent login" in failed.output
    assert ("Retry with the --verbose option" in failed.output) is not verbose
    assert "View at:" not in failed.output
