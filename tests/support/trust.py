"""Trusted publishers and identity tokens, as tests use them: over HTTP."""

from __future__ import annotations

from typing import Any

import requests

from tests.support.index import Index

JOB = {"repository": "acme/demo", "workflow": "release.yml"}
"""The fields of a publisher on GitHub, and of its job."""

JOBS: dict[str, dict[str, str]] = {
    "github": JOB,
    "gitlab": {"repository": "acme/tools/demo"},
    "google": {"email": "release@acme.example"},
    "buildkite": {"organization": "acme", "pipeline": "demo"},
    "circleci": {
        "organization_id": "11111111-1111-1111-1111-111111111111",
        "project_id": "22222222-2222-2222-2222-222222222222",
        "pipeline_definition_id": "33333333-3333-3333-3333-333333333333",
    },
    "activestate": {"organization": "acme", "activestate_project": "demo", "actor": "ada"},
}
"""The required fields of a publisher of each provider."""


def trust(
    index: Index,
    provider: str = "github",
    *,
    project: str | None = None,
    fields: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Register a trusted publisher, and return it."""
    body = {"provider": provider, "fields": JOB if fields is None else fields, "project": project}
    publisher: dict[str, Any] = index.api_json("POST", "/publishers", body)
    return publisher


def identity_token(
    index: Index,
    provider: str = "github",
    *,
    claims: dict[str, Any] | None = None,
    **options: object,
) -> str:
    """Return an identity token of a job, with further claims."""
    fields = JOB if provider == "github" else {}
    body = {"provider": provider, "claims": {**fields, **(claims or {})}, **options}
    token: str = index.api_json("POST", "/identity-tokens", body)["token"]
    return token


def job(index: Index, provider: str = "github", **claims: object) -> dict[str, Any]:
    """Return the identity of a CI job, with further claims."""
    fields = JOB if provider == "github" else {}
    body = {"provider": provider, "claims": {**fields, **claims}}
    created: dict[str, Any] = index.api_json("POST", "/jobs", body)
    return created


def exchange(
    index: Index,
    token: object,
    *,
    path: str | None = None,
    **options: Any,  # noqa: ANN401 (requests' own options)
) -> requests.Response:
    """Exchange an identity token for an upload token."""
    path = path or f"/_/oidc/repositories/{index.name}/mint-token"
    return index.server.request("POST", path, json={"token": token}, **options)


def minted(index: Index, token: str | None = None) -> str:
    """Return the upload token for an identity token, which must be accepted."""
    response = exchange(index, token or identity_token(index))
    assert response.status_code == 200, response.text
    upload_token: str = response.json()["token"]
    return upload_token


def rejection(response: requests.Response) -> tuple[str, str]:
    """Return PyPI's code and the description of a rejected exchange."""
    assert response.status_code == 422, response.text
    body = response.json()
    assert body["message"] == "Token request failed"
    (error,) = body["errors"]
    assert response.reason == f"{error['code']}: {error['description']}"[:400]
    return error["code"], error["description"]
