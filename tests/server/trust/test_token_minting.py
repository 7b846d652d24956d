"""The exchange of identity tokens: which are accepted, and with which code others are rejected."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.trust import JOB, exchange, identity_token, minted, rejection, trust


def upload_with(index: Index, token: str, name: str = "demo") -> int:
    form = encode(fields(wheel(name=name)))
    return index.send(form, auth=("__token__", token)).status_code


# Accepted tokens


def test_a_minted_token_can_publish(index: Index) -> None:
    trust(index)
    response = exchange(index, identity_token(index))
    assert response.status_code == 200
    body = response.json()
    assert body["success"] is True
    assert body["token"].startswith("pypi-")
    assert 890 <= body["expires"] - time() <= 900
    assert upload_with(index, body["token"]) == 200
    assert upload_with(index, body["token"], name="other") == 200


@pytest.mark.parametrize(
    ("project", "message"),
    [
        ("taken", "The name 'taken' isn't allowed."),
        ("asyncore", "The name 'asyncore' isn't allowed (conflict with Python Standard Library"),
    ],
)
def test_with_pypis_rules_a_pending_publisher_cannot_create_a_project_with_a_prohibited_name(
    server: Server, project: str, message: str
) -> None:
    index = server.repository(dialect="pypi", prohibited_names=["taken"])
    trust(index, project=project)
    code, description = rejection(exchange(index, identity_token(index)))
    assert code == "invalid-payload"
    assert description.startswith(message)
    # The publisher can be used once the name is allowed.
    index.set(rules="none")
    assert exchange(index, identity_token(index)).status_code == 200


def test_a_token_of_a_publisher_with_a_project_is_valid_for_that_project(index: Index) -> None:
    trust(index, project="Demo")
    token = minted(index)
    form = encode(fields(wheel(name="other")))
    response = index.send(form, auth=("__token__", token))
    assert response.status_code == 403
    assert (
        response.reason == "Invalid API Token: OIDC scoped token is not valid for project 'other'"
    )
    assert index.get("/other/").status_code == 404
    assert upload_with(index, token) == 200


def test_a_token_is_valid_for_all_projects_of_its_publishers(index: Index) -> None:
    trust(index, project="demo")
    trust(index, project="demo-extra")
    token = minted(index)
    assert upload_with(index, token) == 200
    assert upload_with(index, token, name="demo_extra") == 200
    assert upload_with(index, token, name="other") == 403


def test_a_minted_token_cannot_read(index: Index) -> None:
    trust(index)
    token = minted(index)
    assert upload_with(index, token) == 200
    for path in ("/", "/demo/"):
        response = index.request("GET", path, auth=("__token__", token))
        assert response.status_code == 403
        assert "valid for uploads only" in response.json()["error"]


def test_a_minted_token_is_valid_for_no_other_repository(index: Index) -> None:
    trust(index)
    other = index.server.repository()
    assert upload_with(other, minted(index)) == 403


def test_the_publisher_appears_as_the_user_and_as_the_uploader(index: Index) -> None:
    trust(index, fields={**JOB, "environment": "pypi"})
    token = minted(index, identity_token(index, claims={"environment": "pypi"}))
    assert upload_with(index, token) == 200
    publisher = "github:acme/demo/release.yml@pypi"
    assert [entry["user"] for entry in index.journal()] == [publisher, publisher]
    (file,) = index.api_json("GET", "/projects/demo")["files"]
    assert file["uploader"] == publisher


def test_a_minted_token_is_listed_until_it_expires(index: Index) -> None:
    publisher = trust(index, project="demo")
    token = minted(index)
    listed = {each["id"]: each for each in index.server.api_json("GET", "/tokens")["tokens"]}
    entry = listed[token.split(".")[1]]
    assert entry["projects"] == ["demo"]
    assert entry["publisher"] == "github:acme/demo/release.yml"
    assert entry["expires"] > time()
    # Tokens that a publisher got before it was removed stay valid.
    index.api_json("DELETE", f"/publishers/{publisher['id']}")
    assert upload_with(index, token) == 200
    assert rejection(exchange(index, identity_token(index)))[0] == "invalid-publisher"


def test_a_minted_token_expires(server: Server) -> None:
    index = server.repository(minted_token_seconds=0)
    trust(index)
    response = exchange(index, identity_token(index))
    assert response.json()["expires"] <= time()
    token = response.json()["token"]
    rejected = index.send(encode(fields(wheel())), auth=("__token__", token))
    assert rejected.status_code == 401
    assert rejected.reason == "The token is wrong, was revoked or has expired."
    # The next exchange sweeps expired tokens.
    minted(index)
    listed = {each["id"] for each in server.api_json("GET", "/tokens")["tokens"]}
    assert token.split(".")[1] not in listed


@pytest.mark.parametrize("seconds", [-1, 21_601, 1e300])
def test_an_invalid_lifetime_of_minted_tokens_is_rejected(index: Index, seconds: float) -> None:
    response = index.api("PATCH", json={"minted_token_seconds": seconds})
    assert response.status_code == 400
    assert "minted_token_seconds must be a number from 0 to 21600" in response.json()["error"]


def test_a_burnt_token_is_revoked(index: Index) -> None:
    trust(index)
    token = minted(index)
    path = f"/_/oidc/repositories/{index.name}/burn-token"
    for _ in range(2):
        response = index.server.request("POST", path, json={"token": token})
        assert response.status_code == 202
        assert upload_with(index, token) == 401


def test_burning_revokes_minted_tokens_only(index: Index) -> None:
    token = index.token()["token"]
    path = f"/_/oidc/repositories/{index.name}/burn-token"
    for text in (token, "nonsense", "", "cloudrepo.0000000000000000.x"):
        assert index.server.request("POST", path, json={"token": text}).status_code == 202
    assert upload_with(index, token) == 200
    assert index.server.request("POST", path, json={}).status_code == 422


def test_deleting_a_repository_revokes_its_minted_tokens(index: Index) -> None:
    trust(index)
    token = minted(index)
    index.api_json("DELETE")
    new = index.server.repository(index.name)
    assert upload_with(new, token) == 401
    assert new.api_json("GET", "/publishers")["publishers"] == []


# Pending publishers


def test_a_pending_publisher_creates_its_project(index: Index) -> None:
    assert trust(index, project="demo")["pending"] is True
    token = minted(index)
    (publisher,) = index.api_json("GET", "/publishers")["publishers"]
    assert publisher["pending"] is False
    assert upload_with(index, token) == 200
    assert upload_with(index, minted(index)) == 200


def test_a_publisher_of_an_existing_project_is_not_pending(index: Index) -> None:
    index.publish(wheel())
    assert trust(index, project="Demo")["pending"] is False
    assert trust(index, fields={**JOB, "environment": "x"})["pending"] is False
    assert upload_with(index, minted(index)) == 200


def test_a_pending_publisher_is_removed_if_its_project_was_created_meanwhile(index: Index) -> None:
    trust(index, project="demo")
    index.publish(wheel())
    assert rejection(exchange(index, identity_token(index))) == (
        "invalid-pending-publisher",
        "valid token, but project already exists",
    )
    assert index.api_json("GET", "/publishers")["publishers"] == []
    assert rejection(exchange(index, identity_token(index)))[0] == "invalid-publisher"


def test_the_first_of_two_pending_publishers_gets_the_project(index: Index) -> None:
    trust(index, project="demo")
    trust(index, project="demo", fields={**JOB, "workflow": "other.yml"})
    minted(index)
    token = identity_token(index, claims={"workflow": "other.yml"})
    assert rejection(exchange(index, token))[0] == "invalid-pending-publisher"


# Rejected requests


@pytest.mark.parametrize(
    "body",
    [b"", b"nonsense", b"[]", b'"x"', b"{}", b'{"token": 1}', b'{"token": null}', b"\xff",
     b"[" * 10_000, b'{"token": "' + b"x" * 20_000 + b'"}'],
    ids=range(10),
)  # fmt: skip
def test_a_malformed_body_is_an_invalid_payload(index: Index, body: bytes) -> None:
    for endpoint in ("mint-token", "burn-token"):
        path = f"/_/oidc/repositories/{index.name}/{endpoint}"
        response = index.server.request("POST", path, data=body)
        assert response.status_code == 422
        (error,) = response.json()["errors"]
        assert error["code"] == "invalid-payload"
        assert error["description"].startswith("the request body is invalid: ")


def segment(value: object) -> str:
    encoded = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(encoded).rstrip(b"=").decode()


SIGNATURE = segment(b"x")
"""A signature that can be decoded. Without one, nothing else of a token is read."""


@pytest.mark.parametrize(
    "token",
    [
        "", "x", "a.b.c", "....", "\0", "é.é.é",
        f"{segment({'alg': 'RS256'})}.{segment({})}.x",
        f"{segment({'alg': 'RS256'})}.{segment(b'nonsense')}.{SIGNATURE}",
        f"{segment({'alg': 'RS256'})}.{segment([1])}.{SIGNATURE}",
        f"{segment({'alg': 'RS256'})}.{segment(b'[' * 8000)}.{SIGNATURE}",
        f"{segment({'alg': 'RS256'})}.{segment(b'1' * 8000)}.{SIGNATURE}",
        f"{segment({'alg': 'RS256'})}.{segment({})}.{SIGNATURE}",
        f"{segment({'alg': 'RS256'})}.{segment({'iss': 1})}.{SIGNATURE}",
        f"{segment({'alg': 'RS256'})}.{segment({'iss': ['x']})}.{SIGNATURE}",
        f"{segment([])}.{segment({})}.{SIGNATURE}",
    ],
)  # fmt: skip
def test_a_malformed_identity_token_is_an_invalid_payload(index: Index, token: str) -> None:
    assert rejection(exchange(index, token)) == ("invalid-payload", "malformed JWT")


def test_an_unknown_issuer_is_an_invalid_payload(index: Index) -> None:
    trust(index)
    token = identity_token(index, claims={"iss": "https://issuer.example"})
    assert rejection(exchange(index, token)) == (
        "invalid-payload",
        "unknown trusted publishing issuer",
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"expires_in": -60}, "it has expired"),
        ({"claims": {"exp": 1}}, "it has expired"),
        ({"valid_in": 60}, "it is not valid yet"),
        ({"claims": {"iat": 9_999_999_999}}, "it is not valid yet"),
        ({"audience": "testpypi"}, "its audience is not 'pypi'"),
        ({"claims": {"aud": ["pypi"]}}, "its audience is not 'pypi'"),
        ({"claims": {"aud": None}}, "its header or its claims are invalid"),
        ({"claims": {"exp": None}}, "its header or its claims are invalid"),
        ({"claims": {"exp": "soon"}}, "its header or its claims are invalid"),
        ({"claims": {"iat": None}}, "its header or its claims are invalid"),
    ],
)
def test_a_token_with_wrong_times_or_audience_is_an_invalid_token(
    index: Index, options: dict[str, Any], reason: str
) -> None:
    trust(index)
    assert rejection(exchange(index, identity_token(index, **options))) == (
        "invalid-token",
        f"malformed or invalid token: {reason}",
    )
    assert index.server.api_json("GET", "/tokens") is not None


@pytest.mark.parametrize("expiry", [10**400, "9" * 400, -(10**400)])
def test_a_token_with_an_extremely_large_or_small_time_of_expiry_is_invalid(
    index: Index, expiry: object
) -> None:
    trust(index)
    token = identity_token(index, claims={"exp": expiry})
    assert rejection(exchange(index, token))[0] == "invalid-token"
    assert index.server.api_json("GET", "/damaged") == {"damaged": []}


def test_clocks_may_differ_by_half_a_minute(index: Index) -> None:
    trust(index)
    minted(index, identity_token(index, expires_in=-15))
    minted(index, identity_token(index, valid_in=15))


def forged_tokens(index: Index) -> dict[str, str]:
    token = identity_token(index)
    header, payload, signature = token.split(".")
    other = identity_token(index).split(".")[2]
    claims = jwt.decode(token, options={"verify_signature": False})
    kid = jwt.get_unverified_header(token)["kid"]
    url = f"{index.server.url}/_/issuers/github/.well-known/jwks"
    public = index.server.session.get(url).json()["keys"][0]
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    changed = segment({**claims, "jti": "x"})
    modulus = public["n"].encode()
    return {
        "no signature": f"{header}.{payload}.",
        "the signature of another token": f"{header}.{payload}.{other}",
        "other claims": f"{header}.{changed}.{signature}",
        "another key": jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid}),
        "algorithm none": f"{segment({'alg': 'none', 'kid': kid})}.{changed}.",
        "the public key as a secret": jwt.encode(
            claims, modulus, algorithm="HS256", headers={"kid": kid}
        ),
        "another RSA algorithm": jwt.encode(
            claims, stranger, algorithm="PS256", headers={"kid": kid}
        ),
        "a key in the header": jwt.encode(
            claims, stranger, algorithm="RS256", headers={"kid": kid, "jwk": public}
        ),
    }


def test_forged_tokens_are_invalid(index: Index) -> None:
    trust(index)
    for name, token in forged_tokens(index).items():
        code, description = rejection(exchange(index, token))
        assert code == "invalid-token", name
        assert description == (
            "malformed or invalid token: it was not signed by the identity provider of this server"
        ), name


def test_the_token_of_a_job_cannot_be_exchanged(index: Index) -> None:
    trust(index)
    body = {"provider": "github", "claims": JOB}
    job = index.api_json("POST", "/jobs", body)
    assert rejection(exchange(index, job["request_token"])) == (
        "invalid-payload",
        "unknown trusted publishing issuer",
    )


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"repository": "acme/other"}, "the repository is 'acme/other', not 'acme/demo'"),
        ({"workflow": "ci.yml"}, "the workflow is 'ci.yml', not 'release.yml'"),
        ({}, "the environment is none, not 'pypi'"),
        ({"environment": "test"}, "the environment is 'test', not 'pypi'"),
        ({"sub": None}, "Missing claim 'sub'"),
        ({"sub": "repo:acme/other:ref:x"}, "Check failed for required claim 'sub'"),
        ({"repository_owner": "x"}, "Check failed for required claim 'repository_owner'"),
        ({"job_workflow_ref": "x"}, "Could not extract workflow filename from OIDC claims"),
        (
            {"job_workflow_ref": "evil/demo/.github/workflows/release.yml@refs/heads/main"},
            "The job_workflow_ref claim does not match, expecting one of",
        ),
        (
            {"job_workflow_ref": "acme/demo/.github/workflows/release.yml@refs/heads/other"},
            "The job_workflow_ref claim does not match, expecting one of",
        ),
    ],
)
def test_claims_that_match_no_publisher_are_rejected_with_the_difference(
    index: Index, claims: dict[str, Any], reason: str
) -> None:
    trust(index, fields={**JOB, "environment": "pypi"})
    code, description = rejection(exchange(index, identity_token(index, claims=claims)))
    assert code == "invalid-publisher"
    assert description.startswith("valid token, but no corresponding publisher (")
    assert reason in description


def test_the_case_of_a_publishers_repository_and_environment_is_ignored(index: Index) -> None:
    trust(index, fields={**JOB, "repository": "Acme/Demo", "environment": "PyPI"})
    minted(index, identity_token(index, claims={"environment": "pypi"}))


def test_a_publisher_with_an_environment_is_preferred(index: Index) -> None:
    trust(index, project="other")
    trust(index, project="demo", fields={**JOB, "environment": "pypi"})
    with_environment = minted(index, identity_token(index, claims={"environment": "pypi"}))
    assert upload_with(index, with_environment) == 200
    assert upload_with(index, with_environment, name="other") == 403
    elsewhere = minted(index, identity_token(index, claims={"environment": "x"}))
    assert upload_with(index, elsewhere, name="other") == 200


def test_a_rejection_names_the_publishers_that_exist(index: Index) -> None:
    _, description = rejection(exchange(index, identity_token(index)))
    assert "the repository has no publisher of GitHub" in description
    trust(index, fields={**JOB, "workflow": "a.yml"})
    trust(index, fields={**JOB, "workflow": "b.yml"})
    _, description = rejection(exchange(index, identity_token(index)))
    assert "github:acme/demo/a.yml, github:acme/demo/b.yml" in description


def test_a_reused_token_is_rejected(index: Index) -> None:
    trust(index)
    token = identity_token(index)
    minted(index, token)
    assert rejection(exchange(index, token)) == (
        "invalid-reuse-token",
        "invalid token: already used",
    )
    same_identifier = identity_token(index, claims={"jti": "chosen"})
    minted(index, same_identifier)
    again = identity_token(index, claims={"jti": "chosen"})
    assert rejection(exchange(index, again))[0] == "invalid-reuse-token"


def test_a_reused_token_changes_nothing(index: Index) -> None:
    trust(index)
    token = identity_token(index)
    minted(index, token)
    trust(index, project="planned")
    assert rejection(exchange(index, token))[0] == "invalid-reuse-token"
    publishers = index.api_json("GET", "/publishers")["publishers"]
    assert [(each["project"], each["pending"]) for each in publishers] == [
        (None, False),
        ("planned", True),
    ]


def test_a_rejected_token_is_not_used_up(index: Index) -> None:
    token = identity_token(index)
    assert rejection(exchange(index, token))[0] == "invalid-publisher"
    trust(index)
    minted(index, token)


def test_exactly_one_of_many_concurrent_exchanges_of_a_token_succeeds(index: Index) -> None:
    trust(index)
    token = identity_token(index)
    with ThreadPoolExecutor(10) as pool:
        responses = list(pool.map(lambda _: exchange(index, token), range(10)))
    assert sorted(response.status_code for response in responses) == [200] + [422] * 9
    assert {rejection(each)[0] for each in responses if each.status_code == 422} == {
        "invalid-reuse-token"
    }


def test_a_disabled_provider_is_not_enabled(server: Server) -> None:
    index = server.repository(disabled_identity_providers=["github"])
    trust(index)
    assert rejection(exchange(index, identity_token(index))) == (
        "not-enabled",
        "GitHub trusted publishing functionality not enabled",
    )
    audience = f"/_/oidc/repositories/{index.name}/audience"
    assert server.request("GET", audience).json() == {"audience": "pypi"}
    index.set(disabled_identity_providers=[])
    minted(index)


def test_without_any_provider_trusted_publishing_is_disabled(index: Index) -> None:
    providers = ["github", "gitlab", "google", "buildkite", "circleci", "activestate"]
    index.set(disabled_identity_providers=providers)
    response = index.server.request("GET", f"/_/oidc/repositories/{index.name}/audience")
    assert response.status_code == 403
    assert response.json() == {"message": "Trusted publishing functionality not enabled"}
    discovery = f"/.well-known/pytp?discover=/repositories/{index.name}"
    assert index.server.request("GET", discovery).status_code == 404


def test_an_unknown_provider_cannot_be_disabled(index: Index) -> None:
    response = index.api("PATCH", json={"disabled_identity_providers": ["nobody"]})
    assert response.status_code == 400
    assert "Unknown identity provider 'nobody'" in response.json()["error"]


# Where tokens are exchanged


@pytest.mark.parametrize("path", ["/_/oidc/mint-token", "/_/oidc/github/mint-token"])
def test_the_identity_decides_the_repository_where_the_path_names_none(
    index: Index, path: str
) -> None:
    own = {"repository": f"acme/{index.name}", "workflow": "release.yml"}
    trust(index, fields=own)
    token = identity_token(index, claims=own)
    response = exchange(index, token, path=path)
    assert response.status_code == 200
    assert upload_with(index, response.json()["token"]) == 200
    assert rejection(exchange(index, token, path=path))[0] == "invalid-reuse-token"
    paths = [(entry["path"], entry["status"]) for entry in index.journal()]
    assert paths == [(path, 200), (index.path, 200), (path, 422)]


def test_an_identity_that_several_repositories_trust_needs_discovery(index: Index) -> None:
    own = {"repository": f"acme/{index.name}-shared", "workflow": "release.yml"}
    for each in (index, index.server.repository()):
        trust(each, fields=own)
    token = identity_token(index, claims=own)
    code, description = rejection(exchange(index, token, path="/_/oidc/mint-token"))
    assert code == "invalid-publisher"
    assert "use the token-mint-endpoint that discovery returns" in description
    minted(index, token)


def test_an_unknown_repository_looks_like_one_without_publishers(index: Index) -> None:
    token = identity_token(index)
    path = "/_/oidc/repositories/nowhere/mint-token"
    assert rejection(exchange(index, token, path=path))[0] == "invalid-publisher"


@pytest.mark.parametrize(
    ("method", "endpoint", "allowed"),
    [
        ("POST", "audience", "GET, HEAD"),
        ("GET", "mint-token", "POST"),
        ("PUT", "mint-token", "POST"),
        ("GET", "burn-token", "POST"),
        ("GET", "github/mint-token", "POST"),
    ],
)
def test_other_methods_are_not_allowed(
    index: Index, method: str, endpoint: str, allowed: str
) -> None:
    path = f"/_/oidc/repositories/{index.name}/{endpoint}"
    response = index.server.request(method, path)
    assert response.status_code == 405
    assert response.headers["Allow"] == allowed


def test_unknown_endpoints_are_not_found(index: Index) -> None:
    for path in ("/_/oidc/nothing", f"/_/oidc/repositories/{index.name}/nothing", "/_/oidc/"):
        assert index.server.request("GET", path).status_code == 404
