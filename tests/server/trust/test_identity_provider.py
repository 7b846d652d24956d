"""The provider of identity tokens: its keys, and the tokens of the jobs of each service."""

from __future__ import annotations

from pathlib import Path
from time import time
from typing import Any

import jwt
import pytest
import requests

from cloudrepo_server.specs.identity_providers.table import PROVIDERS
from tests.support.index import Index, Server
from tests.support.proxy_client import ProxyClient
from tests.support.raw import SECONDS
from tests.support.server_fixtures import StartServer
from tests.support.trust import JOBS, exchange, identity_token, job, minted, rejection, trust

every_provider = pytest.mark.parametrize("provider", JOBS)


def verified(server: Server, token: str, provider: str, audience: str) -> dict[str, Any]:
    """Return the claims of a token after its signature was checked with the published key."""
    base = f"{server.url}/_/issuers/{provider}"
    configuration = server.session.get(f"{base}/.well-known/openid-configuration").json()
    keys = server.session.get(configuration["jwks_uri"]).json()
    key = jwt.PyJWKSet.from_dict(keys)[jwt.get_unverified_header(token)["kid"]]
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=audience, issuer=configuration["issuer"]
    )
    return claims


def test_each_provider_is_tested() -> None:
    assert JOBS.keys() == PROVIDERS.keys()


@every_provider
def test_a_job_of_each_provider_can_publish(index: Index, provider: str) -> None:
    trust(index, provider, fields=JOBS[provider])
    minted(index, identity_token(index, provider, claims=dict(JOBS[provider])))


@every_provider
def test_anyone_can_verify_a_token_with_the_published_key(index: Index, provider: str) -> None:
    token = identity_token(index, provider, claims=dict(JOBS[provider]), audience="other")
    claims = verified(index.server, token, provider, "other")
    assert claims["iss"] == PROVIDERS[provider].issuer
    assert claims["exp"] - claims["iat"] == PROVIDERS[provider].lifetime
    assert claims["sub"]


@every_provider
def test_each_field_of_a_publisher_is_compared(index: Index, provider: str) -> None:
    description = PROVIDERS[provider]
    for name in (*description.required, *description.optional):
        chosen = {"repository": "acme/one", "workflow": "one.yml", "email": "one@acme.example"}
        fields = {**JOBS[provider], name: chosen.get(name, "one")}
        publisher = trust(index, provider, fields=fields)
        _, reason = rejection(
            exchange(index, identity_token(index, provider, claims=dict(JOBS[provider])))
        )
        assert f"the {name} is " in reason
        minted(index, identity_token(index, provider, claims=dict(fields)))
        index.api_json("DELETE", f"/publishers/{publisher['id']}")


def test_a_job_requests_its_tokens_as_on_github(index: Index) -> None:
    created = job(index, ref="refs/tags/v1.0", actor="ada")
    headers = {"Authorization": f"bearer {created['request_token']}"}
    url = created["request_url"]
    assert "?" in url  # clients append "&audience=" to the URL
    response = requests.get(f"{url}&audience=pypi", headers=headers, timeout=SECONDS)
    assert response.status_code == 200
    claims = verified(index.server, response.json()["value"], "github", "pypi")
    assert claims["job_workflow_ref"] == "acme/demo/.github/workflows/release.yml@refs/tags/v1.0"
    assert claims["sub"] == "repo:acme/demo:ref:refs/tags/v1.0"
    assert (claims["ref_type"], claims["actor"]) == ("tag", "ada")
    assert created["claims"].items() <= claims.items()
    trust(index)
    minted(index, response.json()["value"])
    without_audience = requests.get(url, headers=headers, timeout=SECONDS).json()["value"]
    verified(index.server, without_audience, "github", "https://github.com/acme")


def test_a_job_has_a_token_for_each_audience(index: Index) -> None:
    created = job(index, "gitlab", **JOBS["gitlab"])
    assert created["tokens"].keys() == {"pypi", "testpypi"}
    for audience, token in created["tokens"].items():
        verified(index.server, token, "gitlab", audience)


def test_claims_that_were_chosen_for_a_job_are_in_its_tokens(index: Index) -> None:
    created = job(index, exp=int(time()) - 60, jti="chosen")
    headers = {"Authorization": f"bearer {created['request_token']}"}
    url = f"{created['request_url']}&audience=pypi"
    token = requests.get(url, headers=headers, timeout=SECONDS).json()["value"]
    trust(index)
    assert rejection(exchange(index, token))[1] == "malformed or invalid token: it has expired"


@pytest.mark.parametrize("header", ["", "bearer", "bearer x", "basic x", "bearer {identity}"])
def test_a_request_without_the_token_of_a_job_is_rejected(index: Index, header: str) -> None:
    value = header.format(identity=identity_token(index))
    response = index.server.request(
        "GET", "/_/ci/idtoken?audience=pypi", headers={"Authorization": value}
    )
    assert response.status_code == 401
    assert "request identity tokens with the environment of a CI job" in response.json()["error"]


def test_a_job_ends_with_its_repository(index: Index) -> None:
    created = job(index)
    index.api_json("DELETE")
    index.server.repository(index.name)
    headers = {"Authorization": f"bearer {created['request_token']}"}
    response = requests.get(created["request_url"], headers=headers, timeout=SECONDS)
    assert response.status_code == 401
    assert response.json()["error"] == "The repository of this job was deleted."


def test_a_job_cannot_request_a_token_with_a_long_audience(index: Index) -> None:
    created = job(index)
    headers = {"Authorization": f"bearer {created['request_token']}"}
    url = f"{created['request_url']}&audience={'x' * 300}"
    assert requests.get(url, headers=headers, timeout=SECONDS).status_code == 400
    assert requests.post(url, headers=headers, timeout=SECONDS).status_code == 405


def test_unknown_providers_have_no_documents(server: Server) -> None:
    for document in ("openid-configuration", "jwks"):
        path = f"/_/issuers/nobody/.well-known/{document}"
        assert server.request("GET", path).status_code == 404


# Impersonated hosts of the providers


def session_of(client: ProxyClient) -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"http": client.url}
    return session


def metadata_session(index: Index, created: dict[str, Any]) -> requests.Session:
    body = {"urls": ["http://metadata.google.internal/"], "job": created["request_token"]}
    made = index.api_json("POST", "/impersonations", body)
    return session_of(ProxyClient(made["id"], made["proxy"]))


BASE = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/"
FLAVOR = {"Metadata-Flavor": "Google"}


def test_the_metadata_server_of_google_cloud_returns_identity_tokens(index: Index) -> None:
    trust(index, "google", fields=JOBS["google"])
    with metadata_session(index, job(index, "google", **JOBS["google"])) as session:
        url = f"{BASE}identity?audience=pypi&format=full"
        response = session.get(url, headers=FLAVOR, timeout=SECONDS)
        assert response.status_code == 200
        assert response.headers["Metadata-Flavor"] == "Google"
        minted(index, response.text)
        email = session.get(BASE + "email", headers=FLAVOR, timeout=SECONDS)
        assert email.text == "release@acme.example"
        assert session.get(url, timeout=SECONDS).status_code == 403
        assert session.get(BASE + "other", headers=FLAVOR, timeout=SECONDS).status_code == 404


def test_only_a_job_on_google_cloud_has_a_metadata_server(index: Index) -> None:
    with metadata_session(index, job(index)) as session:
        response = session.get(BASE + "identity", headers=FLAVOR, timeout=SECONDS)
        assert response.status_code == 404


def test_the_token_of_the_job_of_an_impersonation_is_checked(index: Index) -> None:
    url = "http://metadata.google.internal/"
    too_long = index.api("POST", "/impersonations", {"urls": [url], "job": "x" * 20_000})
    assert too_long.status_code == 400
    with metadata_session(index, {"request_token": "nonsense"}) as session:
        assert session.get(BASE + "email", headers=FLAVOR, timeout=SECONDS).status_code == 401


def test_the_issuer_is_served_at_its_own_url(index: Index) -> None:
    issuer = "https://token.actions.githubusercontent.com"
    client = ProxyClient.of(index, issuer + "/.well-known/")
    host = issuer.removeprefix("https://")
    with client.tunnel(host, 443) as tunnel:
        request = f"GET /.well-known/openid-configuration HTTP/1.1\r\nHost: {host}\r\n\r\n"
        tunnel.send(request.encode())
        response = tunnel.read_response()
    assert response.status == 200
    assert f'"issuer":"{issuer}"' in response.body.decode()
    assert f'"jwks_uri":"{issuer}/.well-known/jwks"' in response.body.decode()


# The key


def test_a_restarted_server_accepts_the_tokens_that_it_issued(
    start_server: StartServer, tmp_path: Path
) -> None:
    environ = {"CLOUDREPO_ADMIN_USERNAME": "admin", "CLOUDREPO_ADMIN_PASSWORD": "secret-one"}
    first = start_server("--data", tmp_path / "data", name="first", environ=environ)
    index = Server(first).repository("kept")
    trust(index)
    token, used = identity_token(index), identity_token(index)
    minted(index, used)
    upload_token = minted(index)
    index.server.close()
    first.stop()
    again = Server(start_server("--data", tmp_path / "data", name="again", environ=environ))
    reopened = Index(again, "kept", index.username, index.password)
    assert rejection(exchange(reopened, used))[0] == "invalid-reuse-token"
    minted(reopened, token)
    assert reopened.request("POST", auth=("__token__", upload_token)).status_code == 400
    again.close()


def test_a_server_with_another_admin_login_has_another_key(
    start_server: StartServer, tmp_path: Path
) -> None:
    def environ(password: str) -> dict[str, str]:
        return {"CLOUDREPO_ADMIN_USERNAME": "admin", "CLOUDREPO_ADMIN_PASSWORD": password}

    first = start_server("--data", tmp_path / "data", name="first", environ=environ("secret-one"))
    index = Server(first).repository("kept")
    trust(index)
    token = identity_token(index)
    index.server.close()
    first.stop()
    again = Server(
        start_server("--data", tmp_path / "data", name="again", environ=environ("secret-two"))
    )
    reopened = Index(again, "kept", index.username, index.password)
    assert rejection(exchange(reopened, token))[0] == "invalid-token"
    minted(reopened)
    again.close()
