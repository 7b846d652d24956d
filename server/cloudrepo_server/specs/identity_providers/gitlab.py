"""GitLab CI/CD.

https://docs.gitlab.com/ci/secrets/id_token_authentication/ has the claims of a job.
"""

import re
from typing import Any

from cloudrepo_server.specs.identity_providers.provider import (
    GROUPS,
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

_HOST = "gitlab.com"
_CONFIG_REF = re.compile(r"gitlab\.com/(?P<repository>.+?)//(?P<workflow>[^@]+\.ya?ml)@(?P<ref>.+)")


def _claims(fields: Fields, given: Claims) -> dict[str, Any]:
    repository, workflow = fields["repository"], fields["workflow"]
    namespace = repository.rpartition("/")[0]
    ref_type = str(given.get("ref_type", "branch"))
    ref = str(given.get("ref", "main"))
    ref_path = str(given.get("ref_path", f"refs/{'tags' if ref_type == 'tag' else 'heads'}/{ref}"))
    sha = str(given.get("sha", commit_of(repository, ref_path)))
    environment = fields.get("environment")
    claims = {
        "sub": f"project_path:{repository}:ref_type:{ref_type}:ref:{ref}",
        "namespace_id": number_of(namespace),
        "namespace_path": namespace,
        "project_id": number_of(repository),
        "project_path": repository,
        "project_visibility": "public",
        "user_id": number_of(namespace, "user"),
        "user_login": namespace.partition("/")[0],
        "user_email": f"{namespace.partition('/')[0]}@example.com",
        "user_access_level": "owner",
        "pipeline_id": number_of(repository, "pipeline"),
        "pipeline_source": "push",
        "job_id": number_of(repository, "job"),
        "ref": ref,
        "ref_type": ref_type,
        "ref_path": ref_path,
        "ref_protected": "true",
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "sha": sha,
        "ci_config_ref_uri": f"{_HOST}/{repository}//{workflow}@{ref_path}",
        "ci_config_sha": sha,
    }
    if environment:
        claims |= {
            "environment": environment,
            "environment_protected": "false",
            "deployment_tier": "production",
            "environment_action": "start",
        }
    return claims


def _stated(claims: Claims) -> dict[str, tuple[str, ...]]:
    repository = text_claim(claims, "project_path")
    refs = (text_claim(claims, "ref_path"), text_claim(claims, "sha"))
    check_subject(claims, "project_path", repository)
    workflow = workflow_claim(
        claims, "ci_config_ref_uri", _CONFIG_REF, repository=repository, refs=refs
    )
    return {
        "repository": (repository,),
        "workflow": (workflow,),
        "environment": optional_claim(claims, "environment"),
    }


GITLAB = Provider(
    name="gitlab",
    title="GitLab",
    issuer=f"https://{_HOST}",
    required=("repository", "workflow"),
    optional=("environment",),
    defaults={"workflow": ".gitlab-ci.yml"},
    case_insensitive=frozenset(("repository",)),
    patterns=GROUPS,
    lifetime=3600.0,
    backdated=5.0,
    claims=_claims,
    stated=_stated,
    shown={
        "repository": "repository",
        "workflow_filepath": "workflow",
        "environment": "environment",
    },
)
