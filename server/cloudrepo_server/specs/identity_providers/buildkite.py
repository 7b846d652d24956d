"""Buildkite.

https://buildkite.com/docs/agent/cli/reference/oidc has the claims of a job.
"""

from typing import Any

from cloudrepo_server.specs.identity_providers.provider import (
    ClaimError,
    Claims,
    Fields,
    Provider,
    commit_of,
    optional_claim,
    text_claim,
    uuid_of,
)


def _claims(fields: Fields, given: Claims) -> dict[str, Any]:
    organization, pipeline = fields["organization"], fields["pipeline"]
    branch = fields.get("build_branch", "main")
    commit = str(given.get("build_commit", commit_of(organization, pipeline, branch)))
    step = fields.get("step_key", "publish")
    tag = fields.get("build_tag")
    ref = f"refs/tags/{tag}" if tag else f"refs/heads/{branch}"
    claims = {
        "sub": f"organization:{organization}:pipeline:{pipeline}:ref:{ref}:commit:{commit}"
        f":step:{step}",
        "organization_slug": organization,
        "organization_id": uuid_of(organization),
        "pipeline_slug": pipeline,
        "pipeline_id": uuid_of(organization, pipeline),
        "build_number": 1,
        "build_branch": branch,
        "build_commit": commit,
        "step_key": step,
        "job_id": uuid_of(organization, pipeline, step),
        "agent_id": uuid_of(organization, "agent"),
        "runner_environment": "self-hosted",
    }
    return {**claims, "build_tag": tag} if tag else claims


def _stated(claims: Claims) -> dict[str, tuple[str, ...]]:
    organization = text_claim(claims, "organization_slug")
    pipeline = text_claim(claims, "pipeline_slug")
    prefix = f"organization:{organization}:pipeline:{pipeline}:"
    if not text_claim(claims, "sub").startswith(prefix):
        raise ClaimError("Check failed for required claim 'sub'")
    return {
        "organization": (organization,),
        "pipeline": (pipeline,),
        **{name: optional_claim(claims, name) for name in ("build_branch", "build_tag")},
        "step_key": optional_claim(claims, "step_key"),
    }


BUILDKITE = Provider(
    name="buildkite",
    title="Buildkite",
    issuer="https://agent.buildkite.com",
    required=("organization", "pipeline"),
    optional=("build_branch", "build_tag", "step_key"),
    lifetime=300.0,
    claims=_claims,
    stated=_stated,
)
