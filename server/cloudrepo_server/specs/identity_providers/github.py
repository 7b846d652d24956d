"""GitHub Actions.

https://docs.github.com/actions/reference/security/oidc has the claims of a job.
"""

import re
from typing import Any

from cloudrepo_server.specs.identity_providers.provider import (
    ONE_OWNER,
    ClaimError,
    Claims,
    Fields,
    Provider,
    check_subject,
    commit_of,
    number_of,
    optional_claim,
    text_claim,
    workflow_claim,
)

_WORKFLOW_REF = re.compile(
    r"(?P<repository>[^/]+/[^/]+)/\.github/workflows/(?P<workflow>[^/]+\.ya?ml)@(?P<ref>.+)"
)


def _claims(fields: Fields, given: Claims) -> dict[str, Any]:
    repository, workflow = fields["repository"], fields["workflow"]
    owner = repository.partition("/")[0]
    ref = str(given.get("ref", "refs/heads/main"))
    sha = str(given.get("sha", commit_of(repository, ref)))
    workflow_ref = f"{repository}/.github/workflows/{workflow}@{ref}"
    environment = fields.get("environment")
    claims = {
        "sub": f"repo:{repository}:environment:{environment}"
        if environment
        else f"repo:{repository}:ref:{ref}",
        "repository": repository,
        "repository_id": number_of(repository),
        "repository_owner": owner,
        "repository_owner_id": fields.get("repository_owner_id", number_of(owner)),
        "repository_visibility": "public",
        "actor": owner,
        "actor_id": number_of(owner),
        "event_name": "push",
        "ref": ref,
        "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
        "ref_protected": "false",
        "head_ref": "",
        "base_ref": "",
        "sha": sha,
        "workflow": f".github/workflows/{workflow}",
        "workflow_ref": workflow_ref,
        "workflow_sha": sha,
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": sha,
        "run_id": number_of(repository, workflow, ref),
        "run_number": "1",
        "run_attempt": "1",
        "runner_environment": "github-hosted",
    }
    return {**claims, "environment": environment} if environment else claims


def _stated(claims: Claims) -> dict[str, tuple[str, ...]]:
    repository = text_claim(claims, "repository")
    owner = text_claim(claims, "repository_owner")
    if owner.lower() != repository.partition("/")[0].lower():
        raise ClaimError("Check failed for required claim 'repository_owner'")
    check_subject(claims, "repo", repository)
    refs = (*optional_claim(claims, "ref"), *optional_claim(claims, "sha"))
    workflow = workflow_claim(
        claims, "job_workflow_ref", _WORKFLOW_REF, repository=repository, refs=refs
    )
    return {
        "repository": (repository,),
        "workflow": (workflow,),
        "environment": optional_claim(claims, "environment"),
        "repository_owner_id": optional_claim(claims, "repository_owner_id"),
    }


GITHUB = Provider(
    name="github",
    title="GitHub",
    issuer="https://token.actions.githubusercontent.com",
    required=("repository", "workflow"),
    optional=("environment", "repository_owner_id"),
    case_insensitive=frozenset(("repository", "environment")),
    patterns=ONE_OWNER,
    lifetime=300.0,
    backdated=600.0,
    claims=_claims,
    stated=_stated,
    shown={"repository": "repository", "workflow": "workflow", "environment": "environment"},
)
