"""The results of tests, which the portal shows with the repositories of each test."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from cloudrepo_server.limits import MAX_NODE_ID

Outcome = Literal["passed", "failed", "skipped"]


class ResultOfTest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A test that used a repository, its outcome, and how many seconds it took.

    `node_id` is pytest's identifier of the test, such as `tests/test_it.py::test_upload`.
    """

    node_id: Annotated[str, Meta(min_length=1, max_length=MAX_NODE_ID)]
    outcome: Outcome
    seconds: Annotated[float, Meta(ge=0)]
