"""Uploads with real clients: accepted, rejected, and with the option to skip existing files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.credentials import RepositoryUser
from tests.support.clients.sections import UPLOADS
from tests.support.clients.upload_runner import (
    CONTENT,
    DIFFERENT_CONTENT,
    FILENAMES,
    SUCCESS,
    served_files,
    upload_statuses,
)
from tests.support.clients.uploaders import TWINE, UPLOADERS, UV

if TYPE_CHECKING:
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.upload_runner import UploadRunner

every_uploader = pytest.mark.parametrize("uploader", UPLOADERS, ids=str)
uploaders_that_skip = pytest.mark.parametrize(
    "uploader",
    [each for each in UPLOADERS if each.skip_option and each not in (TWINE, UV)],
    ids=str,
)


@every_uploader
def test_a_first_upload_is_stored(uploads: UploadRunner, cloudrepo: Repository) -> None:
    result, files = uploads.run(cloudrepo)
    assert result.ok, result.output
    assert served_files(cloudrepo) == files
    assert tuple(files) == FILENAMES
    assert upload_statuses(cloudrepo) == [200, 200]
    assert {request.user for request in cloudrepo.requests} == {cloudrepo.username}
    uploads.record(UPLOADS, "first upload", result, "stored", shows=SUCCESS)


@pytest.mark.cloudrepo(overwrite_protection=True)
@every_uploader
@pytest.mark.parametrize(
    "module", [CONTENT, DIFFERENT_CONTENT], ids=["same-content", "different-content"]
)
def test_overwrite_protection_rejects_an_existing_file(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes], module: str
) -> None:
    result, _ = uploads.run(cloudrepo, module=module)
    assert result.returncode == uploads.uploader.rejected_status, result.output
    assert served_files(cloudrepo) == published
    assert set(upload_statuses(cloudrepo)) == {409}
    action = f"{'same' if module == CONTENT else 'different'} content, protection on"
    rejected = cloudrepo.requests.uploads()[0].filename
    uploads.record(
        UPLOADS, action, result, "rejected, unchanged", shows=f"File already exists: {rejected}"
    )


@every_uploader
def test_an_upload_replaces_existing_files_without_overwrite_protection(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes]
) -> None:
    result, files = uploads.run(cloudrepo, module=DIFFERENT_CONTENT)
    assert result.ok, result.output
    assert served_files(cloudrepo) == files != published
    assert upload_statuses(cloudrepo) == [200, 200]
    uploads.record(UPLOADS, "different content, protection off", result, "replaced", shows=SUCCESS)


@pytest.mark.cloudrepo(overwrite_protection=True)
@uploaders_that_skip
def test_skip_option_skips_rejected_files(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes]
) -> None:
    result, _ = uploads.run(cloudrepo, str(uploads.uploader.skip_option), module=DIFFERENT_CONTENT)
    assert result.ok, result.output
    assert served_files(cloudrepo) == published
    assert upload_statuses(cloudrepo) == [409, 409]
    action = f"different content, protection on, `{uploads.uploader.skip_option}`"
    uploads.record(UPLOADS, action, result, "skipped, unchanged", shows="(?i)skip|already exist")


@uploaders_that_skip
def test_skip_option_has_no_effect_without_overwrite_protection(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes]
) -> None:
    result, files = uploads.run(
        cloudrepo, str(uploads.uploader.skip_option), module=DIFFERENT_CONTENT
    )
    assert result.ok, result.output
    assert served_files(cloudrepo) == files != published
    assert upload_statuses(cloudrepo) == [200, 200]
    uploads.record(
        UPLOADS,
        f"different content, protection off, `{uploads.uploader.skip_option}`",
        result,
        "replaced",
        shows=SUCCESS,
    )


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("uploader", [TWINE], ids=str)
def test_newest_twine_rejects_its_own_skip_existing_option(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes], *, protected: bool
) -> None:
    cloudrepo.overwrite_protection = protected
    result, _ = uploads.run(cloudrepo, "--skip-existing", module=DIFFERENT_CONTENT)
    assert result.returncode == 1
    assert served_files(cloudrepo) == published
    assert upload_statuses(cloudrepo) == []
    action = f"different content, protection {'on' if protected else 'off'}, `--skip-existing`"
    uploads.record(UPLOADS, action, result, "no request", shows="UnsupportedConfiguration")


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("uploader", [UV], ids=str)
def test_uv_check_url_skips_files_with_the_same_content(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes], *, protected: bool
) -> None:
    cloudrepo.overwrite_protection = protected
    result, _ = uploads.run(cloudrepo, "--check-url", cloudrepo.index_url)
    assert result.ok, result.output
    assert served_files(cloudrepo) == published
    assert upload_statuses(cloudrepo) == []
    action = f"same content, protection {'on' if protected else 'off'}, `--check-url`"
    uploads.record(UPLOADS, action, result, "skipped, no upload", shows="already exists, skipping")


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("uploader", [UV], ids=str)
def test_uv_check_url_stops_before_uploading_different_content(
    uploads: UploadRunner, cloudrepo: Repository, published: dict[str, bytes], *, protected: bool
) -> None:
    cloudrepo.overwrite_protection = protected
    result, _ = uploads.run(cloudrepo, "--check-url", cloudrepo.index_url, module=DIFFERENT_CONTENT)
    assert result.returncode == 2
    assert served_files(cloudrepo) == published
    assert upload_statuses(cloudrepo) == []
    action = f"different content, protection {'on' if protected else 'off'}, `--check-url`"
    uploads.record(UPLOADS, action, result, "no upload", shows="do not match")


@every_uploader
def test_a_read_only_user_cannot_upload(
    uploads: UploadRunner, cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    reader = cloudrepo.as_user(cloudrepo_server.create_user(read_only=True))
    result, _ = uploads.run(reader)
    assert result.returncode == uploads.uploader.rejected_status
    assert served_files(cloudrepo) == {}
    assert upload_statuses(cloudrepo)[:1] == [403]
    uploads.record(UPLOADS, "as a read-only user", result, "rejected", shows="read.only")


@every_uploader
def test_a_wrong_passphrase_is_rejected(uploads: UploadRunner, cloudrepo: Repository) -> None:
    wrong = RepositoryUser(cloudrepo.username, Secret("not the passphrase"))
    result, _ = uploads.run(cloudrepo.as_user(wrong))
    assert result.returncode == uploads.uploader.rejected_status
    assert served_files(cloudrepo) == {}
    assert upload_statuses(cloudrepo)[:1] == [401]
    uploads.record(
        UPLOADS, "with a wrong passphrase", result, "rejected", shows="passphrase is wrong"
    )
