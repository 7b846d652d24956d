"""The programs that upload, and what they do when they are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._programs.secret import Secret
from pytest_cloudrepo.credentials import RepositoryUser
from tests.support.clients.sections import UPLOADS
from tests.support.clients.uploaders import TWINE, UPLOADERS, UV
from tests.support.clients.uploads import FILES, FIRST, OTHER, SUCCESS, answers, held

if TYPE_CHECKING:
    from pytest_cloudrepo.client import Server
    from pytest_cloudrepo.repository import Repository
    from tests.support.clients.uploads import Uploads

every_uploader = pytest.mark.parametrize("uploader", UPLOADERS, ids=str)
uploaders_that_skip = pytest.mark.parametrize(
    "uploader",
    [one for one in UPLOADERS if one.skip and one not in (TWINE, UV)],
    ids=str,
)


@every_uploader
def test_w88_a_first_upload_is_stored(uploads: Uploads, cloudrepo: Repository) -> None:
    result, files = uploads.run(cloudrepo)
    assert result.ok, result.output
    assert held(cloudrepo) == files
    assert tuple(files) == FILES
    assert answers(cloudrepo) == [200, 200]
    assert {one.user for one in cloudrepo.requests} == {cloudrepo.username}
    uploads.note(UPLOADS, "first upload", result, "stored", shows=SUCCESS)


@pytest.mark.cloudrepo(overwrite_protection=True)
@every_uploader
@pytest.mark.parametrize("module", [FIRST, OTHER], ids=["same-bytes", "other-bytes"])
def test_an_upload_is_refused_under_protection(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes], module: str
) -> None:
    result, _ = uploads.run(cloudrepo, module=module)
    assert result.returncode == uploads.uploader.refused, result.output
    assert held(cloudrepo) == published
    assert set(answers(cloudrepo)) == {409}
    asked = f"{'same' if module == FIRST else 'other'} bytes, protection on"
    refused = cloudrepo.requests.uploads()[0].filename
    uploads.note(
        UPLOADS, asked, result, "refused, unchanged", shows=f"File already exists: {refused}"
    )


@every_uploader
def test_an_upload_replaces_without_protection(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes]
) -> None:
    result, files = uploads.run(cloudrepo, module=OTHER)
    assert result.ok, result.output
    assert held(cloudrepo) == files != published
    assert answers(cloudrepo) == [200, 200]
    uploads.note(UPLOADS, "other bytes, protection off", result, "replaced", shows=SUCCESS)


@pytest.mark.cloudrepo(overwrite_protection=True)
@uploaders_that_skip
def test_w89_a_refused_file_is_skipped_where_that_is_asked_for(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes]
) -> None:
    result, _ = uploads.run(cloudrepo, str(uploads.uploader.skip), module=OTHER)
    assert result.ok, result.output
    assert held(cloudrepo) == published
    assert answers(cloudrepo) == [409, 409]
    asked = f"other bytes, protection on, `{uploads.uploader.skip}`"
    uploads.note(UPLOADS, asked, result, "skipped, unchanged", shows="(?i)skip|already exist")


@uploaders_that_skip
def test_nothing_is_skipped_where_nothing_is_refused(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes]
) -> None:
    result, files = uploads.run(cloudrepo, str(uploads.uploader.skip), module=OTHER)
    assert result.ok, result.output
    assert held(cloudrepo) == files != published
    assert answers(cloudrepo) == [200, 200]
    uploads.note(
        UPLOADS,
        f"other bytes, protection off, `{uploads.uploader.skip}`",
        result,
        "replaced",
        shows=SUCCESS,
    )


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("uploader", [TWINE], ids=str)
def test_w90_the_newest_twine_refuses_its_own_flag(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes], *, protected: bool
) -> None:
    cloudrepo.overwrite_protection = protected
    result, _ = uploads.run(cloudrepo, "--skip-existing", module=OTHER)
    assert result.returncode == 1
    assert held(cloudrepo) == published
    assert answers(cloudrepo) == []
    asked = f"other bytes, protection {'on' if protected else 'off'}, `--skip-existing`"
    uploads.note(UPLOADS, asked, result, "no request", shows="UnsupportedConfiguration")


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("uploader", [UV], ids=str)
def test_w91_uv_passes_over_the_same_bytes(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes], *, protected: bool
) -> None:
    cloudrepo.overwrite_protection = protected
    result, _ = uploads.run(cloudrepo, "--check-url", cloudrepo.index_url)
    assert result.ok, result.output
    assert held(cloudrepo) == published
    assert answers(cloudrepo) == []
    asked = f"same bytes, protection {'on' if protected else 'off'}, `--check-url`"
    uploads.note(UPLOADS, asked, result, "skipped, no upload", shows="already exists, skipping")


@pytest.mark.parametrize("protected", [True, False], ids=["protected", "unprotected"])
@pytest.mark.parametrize("uploader", [UV], ids=str)
def test_uv_refuses_other_bytes_by_itself(
    uploads: Uploads, cloudrepo: Repository, published: dict[str, bytes], *, protected: bool
) -> None:
    cloudrepo.overwrite_protection = protected
    result, _ = uploads.run(cloudrepo, "--check-url", cloudrepo.index_url, module=OTHER)
    assert result.returncode == 2
    assert held(cloudrepo) == published
    assert answers(cloudrepo) == []
    asked = f"other bytes, protection {'on' if protected else 'off'}, `--check-url`"
    uploads.note(UPLOADS, asked, result, "no upload", shows="do not match")


@every_uploader
def test_a_read_only_user_is_refused(
    uploads: Uploads, cloudrepo: Repository, cloudrepo_server: Server
) -> None:
    reader = cloudrepo.as_user(cloudrepo_server.create_user(read_only=True))
    result, _ = uploads.run(reader)
    assert result.returncode == uploads.uploader.refused
    assert held(cloudrepo) == {}
    assert answers(cloudrepo)[:1] == [403]
    uploads.note(UPLOADS, "as a read-only user", result, "refused", shows="read.only")


@every_uploader
def test_a_wrong_passphrase_is_refused(uploads: Uploads, cloudrepo: Repository) -> None:
    wrong = RepositoryUser(cloudrepo.username, Secret("not the passphrase"))
    result, _ = uploads.run(cloudrepo.as_user(wrong))
    assert result.returncode == uploads.uploader.refused
    assert held(cloudrepo) == {}
    assert answers(cloudrepo)[:1] == [401]
    uploads.note(UPLOADS, "with a wrong passphrase", result, "refused", shows="passphrase is wrong")
