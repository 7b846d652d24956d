"""A rule of PyPI, and a finding, which states that a file breaks a rule."""

from http import HTTPStatus
from typing import Final, Literal

import msgspec

from cloudrepo_server.errors import BrokenRuleError

Section = Literal[
    "The form",
    "The metadata",
    "The project",
    "The name of the file",
    "Size and digests",
    "What exists already",
    "The archive",
]

CORE_METADATA: Final = "https://packaging.python.org/specifications/core-metadata"
MIB: Final = 1 << 20
GIB: Final = 1 << 30

_SOURCE = (
    "https://github.com/pypi/warehouse/blob/6b62157124ab7865029afeeadf282bce27d601d9/warehouse/"
)


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule: what it requires, PyPI's message if it is broken, and how to correct the release.

    The texts `message`, `problem` and `advice` are templates; each finding fills in its values.
    """

    name: str
    section: Section
    requires: str
    """What the rule requires, as a sentence."""
    message: str
    """The message of PyPI, which clients show and recognize."""
    problem: str
    """What is wrong, in the report of `cloudrepo-server check`."""
    advice: str
    """How to correct the release."""
    source: str
    """The place in PyPI's source code that has the rule."""
    status: int = HTTPStatus.BAD_REQUEST

    def broken(self, **values: object) -> "Finding":
        """Return the finding that this rule is broken.

        Args:
            values: the values of the placeholders in the texts.
        """
        return Finding(
            rule=self.name,
            status=self.status,
            message=self.message.format(**values),
            problem=self.problem.format(**values),
            advice=self.advice.format(**values),
        )


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A broken rule: its name, PyPI's response, and how to correct the release."""

    rule: str
    """The name of the rule."""
    status: int
    """The status of PyPI's response."""
    message: str
    """PyPI's message, which publishing tools show."""
    problem: str
    """What is wrong, in our words."""
    advice: str
    """How to correct the release."""

    def error(self) -> BrokenRuleError:
        """Return the error that rejects an upload because of this finding."""
        return BrokenRuleError(self.message, status=self.status, rule=self.rule, advice=self.advice)


def source(path: str) -> str:
    """Return the URL of a place in PyPI's source code, such as `forklift/legacy.py#L1`."""
    return _SOURCE + path


def size(number: int) -> str:
    """Return a size as PyPI writes it if it is a whole number of MB, otherwise in bytes."""
    return f"{number // MIB} MB" if number and number % MIB == 0 else f"{number} bytes"
