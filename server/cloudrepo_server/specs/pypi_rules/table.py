"""All rules, in the order in which PyPI checks them."""

from typing import Final

from cloudrepo_server.specs.pypi_rules import (
    archive_rules,
    attestations,
    filenames,
    form,
    metadata_rules,
    project_names,
    releases,
)
from cloudrepo_server.specs.pypi_rules.rule import Rule

RULES: Final[tuple[Rule, ...]] = (
    *form.RULES,
    *metadata_rules.RULES,
    form.FILE_PRESENT,
    *project_names.RULES,
    metadata_rules.DESCRIPTION,
    *filenames.RULES,
    *releases.SIZE_RULES,
    *releases.EXISTING_RULES,
    *archive_rules.RULES,
    *filenames.RULES_AFTER_ARCHIVE,
    *archive_rules.RULES_OF_CONTENT,
    *attestations.RULES,
)
