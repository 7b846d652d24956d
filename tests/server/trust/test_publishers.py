"""The admin API's operations on trusted publishers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.index import Index
from tests.support.trust import JOB, trust


def listed(index: Index) -> list[dict[str, Any]]:
    publishers: list[dict[str, Any]] = index.api_json("GET", "/publishers")["publishers"]
    return publishers


def test_publishers_are_listed_and_removed(index: Index) -> None:
    assert listed(index) == []
    first = trust(index, project="Demo.Project")
    second = trust(index, "gitlab", fields={"repository": "group/sub/demo"})
    assert first["project"] == "demo-project"
    assert first["fields"] == JOB
    assert second["fields"] == {"repository": "group/sub/demo", "workflow": ".gitlab-ci.yml"}
    assert listed(index) == [first, second]
    assert index.api("DELETE", f"/publishers/{first['id']}").status_code == 204
    assert listed(index) == [second]
    response = index.api("DELETE", f"/publishers/{first['id']}")
    assert response.status_code == 404
    assert first["id"] in response.json()["error"]


def test_a_publisher_can_be_registered_once_for_a_project(index: Index) -> None:
    trust(index, project="demo")
    body = {"provider": "github", "fields": JOB, "project": "DEMO"}
    response = index.api("POST", "/publishers", body)
    assert response.status_code == 409
    assert "github:acme/demo/release.yml already exists" in response.json()["error"]
    trust(index, project="other")


def test_the_number_of_publishers_is_limited(index: Index) -> None:
    for number in range(100):
        trust(index, fields={**JOB, "workflow": f"{number}.yml"})
    body = {"provider": "github", "fields": JOB}
    response = index.api("POST", "/publishers", body)
    assert response.status_code == 409
    assert "has 100 trusted publishers, which is the limit" in response.json()["error"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"provider": "nobody", "fields": {}}, "Unknown identity provider 'nobody'"),
        ({"provider": "github", "fields": {}}, "repository, workflow is missing"),
        ({"provider": "github", "fields": {**JOB, "x": "y"}}, "unknown field x"),
        ({"provider": "github", "fields": {**JOB, "repository": "demo"}}, "use the form OWNER"),
        ({"provider": "github", "fields": {**JOB, "repository": "a/b/c"}}, "use the form OWNER"),
        ({"provider": "github", "fields": {**JOB, "workflow": "x"}}, "a .yml or .yaml file"),
        ({"provider": "github", "fields": {**JOB, "workflow": "a/x.yml"}}, "without its folder"),
        ({"provider": "github", "fields": {**JOB, "environment": "x\n"}}, "Invalid environment"),
        ({"provider": "github", "fields": {**JOB, "environment": "x" * 256}}, "at most 255"),
        ({"provider": "gitlab", "fields": {"repository": "demo"}}, "use the form GROUP/NAME"),
        ({"provider": "google", "fields": {"email": "nobody"}}, "use the e-mail address"),
        ({"provider": "github", "fields": JOB, "project": "-"}, "'-'"),
        ({"provider": "github", "fields": {"repository": 1}}, "Expected `str`, got `int`"),
        ({"provider": "github"}, "missing required field `fields`"),
        ({}, "missing required field `provider`"),
    ],
)
def test_an_invalid_publisher_is_rejected(
    index: Index, body: dict[str, object], message: str
) -> None:
    response = index.api("POST", "/publishers", body)
    assert response.status_code == 400
    assert message in response.json()["error"]
    assert listed(index) == []


def test_operations_on_an_unknown_repository_are_not_found(index: Index) -> None:
    path = "/repositories/nowhere"
    body = {"provider": "github", "fields": JOB}
    job = {"provider": "github", "claims": JOB}
    for method, below, json in (
        ("GET", "/publishers", None),
        ("POST", "/publishers", body),
        ("DELETE", "/publishers/x", None),
        ("POST", "/jobs", job),
        ("POST", "/identity-tokens", job),
    ):
        assert index.server.api(method, path + below, json).status_code == 404


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({}, "repository, workflow is missing"),
        ({**JOB, "repository": 5}, "Invalid repository for GitHub: it must be a string"),
        ({**JOB, "iss": ["x"]}, "The claims are not valid in a token: Issuer (iss) must be"),
        ({**JOB, "x": "y" * 5000}, "The claims are too large: the limit is 4096 bytes"),
        ({**JOB, "x": "y" * 4000}, "The claims are too large: the limit is 4096 bytes"),
    ],
)
def test_invalid_claims_are_rejected(index: Index, claims: dict[str, object], message: str) -> None:
    for operation in ("/jobs", "/identity-tokens"):
        response = index.api("POST", operation, {"provider": "github", "claims": claims})
        assert response.status_code == 400
        assert message in response.json()["error"]


def test_a_long_audience_is_rejected(index: Index) -> None:
    body = {"provider": "github", "claims": JOB, "audience": "x" * 256}
    response = index.api("POST", "/identity-tokens", body)
    assert response.status_code == 400
    assert "The audience is too long" in response.json()["error"]
