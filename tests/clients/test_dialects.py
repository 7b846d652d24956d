"""The flag by which a client passes over what is there, where registries refuse it differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.clients.sections import REGISTRIES
from tests.support.clients.uploaders import PDM, POETRY, TWINE_6_1
from tests.support.clients.uploads import OTHER, answers, held

if TYPE_CHECKING:
    from pytest_cloudrepo.factories import RepositoryFactory
    from tests.support.clients.uploads import Uploads

# Each with its answer. To all of them each of the clients has an ear.
ANSWERS = {
    "modern": 409,
    "cloudrepo": 409,
    "pypi": 400,
    "devpi": 409,
    "pypiserver": 409,
    "gitlab": 400,
    "nexus": 400,
    "artifactory": 403,
}


@pytest.mark.parametrize("uploader", [TWINE_6_1, POETRY, PDM], ids=str)
@pytest.mark.parametrize("dialect", ANSWERS)
def test_what_is_there_is_skipped(
    uploads: Uploads, cloudrepo_factory: RepositoryFactory, dialect: str
) -> None:
    repository = cloudrepo_factory(dialect=dialect, overwrite_protection=True)
    published = uploads.publish(repository)
    result, _ = uploads.run(repository, "--skip-existing", module=OTHER)
    assert result.ok, result.output
    assert held(repository) == published
    assert answers(repository) == [ANSWERS[dialect]] * 2
    uploads.note(REGISTRIES, f"dialect {dialect}", result, "skipped, unchanged", shows="(?i)skip")
