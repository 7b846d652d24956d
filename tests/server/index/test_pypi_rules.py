"""PyPI's rules: each rejects an upload that breaks it, and accepts the corrected upload."""

from __future__ import annotations

import pytest
import requests

from cloudrepo_server.specs.pypi_rules.table import RULES
from tests.support.index import Index, Server
from tests.support.pypi_rules import CASES, Case, Upload

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)


def prepare(server: Server, case: Case) -> Index:
    index = server.repository(dialect="pypi")
    index.set(**case.settings)
    if case.before is not None:
        case.before(index)
    return index


def post(index: Index, case: Case, upload: Upload) -> requests.Response:
    login = index.auth if case.login is None else case.login(index)
    return index.post(upload.form(), auth=login)


def test_every_rule_is_broken_by_a_case() -> None:
    # The first one accepts a file. The second one is about the URL of an impersonated index.
    others = {"identical-file", "upload-url"}
    assert {case.rule for case in CASES} == {rule.name for rule in RULES} - others


@each_case
def test_pypi_rejects_an_upload_that_breaks_the_rule(server: Server, case: Case) -> None:
    response = post(prepare(server, case), case, case.broken)
    assert case.words in response.reason
    assert response.status_code == case.status
    body = response.json()
    assert body["rule"] == case.rule
    assert body["advice"]


@each_case
def test_pypi_accepts_the_corrected_upload(server: Server, case: Case) -> None:
    response = post(prepare(server, case), case, case.corrected)
    assert response.status_code == 200, response.reason


def test_the_same_file_is_accepted_again(server: Server) -> None:
    index = server.repository(dialect="pypi")
    for _ in range(2):
        assert index.post(Upload().form()).status_code == 200
