"""CircleCI.

https://circleci.com/docs/guides/permissions-authentication/openid-connect-tokens/ has the claims of
a job.
"""

from typing import Any

from cloudrepo_server.specs.identity_providers.provider import (
    ClaimError,
    Claims,
    Fields,
    Provider,
    optional_claim,
    text_claim,
    uuid_of,
)

_PREFIX = "oidc.circleci.com/"


def _claims(fields: Fields, _: Claims) -> dict[str, Any]:
    organization, project = fields["organization_id"], fields["project_id"]
    origin = fields.get("vcs_origin", "github.com/acme/demo")
    ref = fields.get("vcs_ref", "refs/heads/main")
    user = uuid_of(organization, "user")
    values = {
        "org-id": organization,
        "project-id": project,
        "pipeline-definition-id": fields["pipeline_definition_id"],
        "context-ids": [fields["context_id"]] if "context_id" in fields else [],
        "pipeline-id": uuid_of(project, "pipeline"),
        "workflow-id": uuid_of(project, "workflow"),
        "job-id": uuid_of(project, "job"),
        "vcs-origin": origin,
        "vcs-ref": ref,
        "ssh-rerun": False,
    }
    return {
        "sub": f"org/{organization}/project/{project}/user/{user}/vcs-origin/{origin}"
        f"/vcs-ref/{ref}",
        **{_PREFIX + name: value for name, value in values.items()},
    }


def _stated(claims: Claims) -> dict[str, tuple[str, ...]]:
    # Somebody with SSH access to the job may have requested the token.
    if claims.get(_PREFIX + "ssh-rerun") is not False:
        raise ClaimError(f"Check failed for required claim '{_PREFIX}ssh-rerun'")
    contexts = claims.get(_PREFIX + "context-ids")
    return {
        "organization_id": (text_claim(claims, _PREFIX + "org-id"),),
        "project_id": (text_claim(claims, _PREFIX + "project-id"),),
        "pipeline_definition_id": (text_claim(claims, _PREFIX + "pipeline-definition-id"),),
        "context_id": tuple(each for each in contexts if isinstance(each, str))
        if isinstance(contexts, list)
        else (),
        "vcs_ref": optional_claim(claims, _PREFIX + "vcs-ref"),
        "vcs_origin": optional_claim(claims, _PREFIX + "vcs-origin"),
    }


CIRCLECI = Provider(
    name="circleci",
    title="CircleCI",
    issuer="https://oidc.circleci.com",
    required=("organization_id", "project_id", "pipeline_definition_id"),
    optional=("context_id", "vcs_ref", "vcs_origin"),
    lifetime=3600.0,
    backdated=None,
    has_jti=False,
    claims=_claims,
    stated=_stated,
)
