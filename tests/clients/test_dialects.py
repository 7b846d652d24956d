"""The option to skip existing files, in repositories that reject them as other registries do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients.sections import REGISTRIES
from tests.support.clients.upload_runner import DIFFERENT_CONTENT, served_files, upload_statuses
from tests.support.clients.uploaders import PDM, POETRY, TWINE_6_1

if TYPE_CHECKING:
    from pytest_cloudrepo.factories import RepositoryFactory
    from tests.support.clients.upload_runner import UploadRunner

# The status with which each dialect rejects an existing file.
STATUSES = {
    "modern": 409,
    "cloudrepo": 409,
    "pypi": 400,
    "devpi": 409,
    "pypiserver": 409,
    "gitlab": 400,
    "nexus": 400,
    "artifactory": 403,
}
# twine does not recognize the text of Nexus since version 3.70:
# https://github.com/pypa/twine/issues/1044
NOT_RECOGNIZED = {("twine", "nexus")}


@pytest.mark.parametrize("uploader", [TWINE_6_1, POETRY, PDM], ids=str)
@pytest.mark.parametrize("dialect", STATUSES)
def test_the_skip_existing_option_skips_existing_files_in_each_dialect_that_the_client_knows(
    uploads: UploadRunner, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    published = uploads.publish(repository)
    result, _ = uploads.run(repository, "--skip-existing", module=DIFFERENT_CONTENT)
    recognized = (uploads.uploader.client.name, dialect) not in NOT_RECOGNIZED
    assert result.ok == recognized, result.output
    assert served_files(repository) == published
    assert upload_statuses(repository) == [STATUSES[dialect]] * (2 if recognized else 1)
    outcome, shows = ("skipped", "(?i)skip") if recognized else ("rejected", "cannot be updated")
    uploads.record(REGISTRIES, f"dialect {dialect}", result, f"{outcome}, unchanged", shows=shows)
