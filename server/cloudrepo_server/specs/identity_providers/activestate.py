"""The ActiveState Platform, which publishes what it builds.

Its builder requests the tokens itself: no program in a job can.
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

_BUILDER = "pypi-publisher"


def _claims(fields: Fields, _: Claims) -> dict[str, Any]:
    organization, project = fields["organization"], fields["activestate_project"]
    actor, ingredient = fields["actor"], fields.get("ingredient")
    claims = {
        "sub": f"org:{organization}:project:{project}",
        "organization": organization,
        "organization_id": uuid_of(organization),
        "project": project,
        "project_id": uuid_of(organization, project),
        "project_path": f"{organization}/{project}",
        "project_visibility": "public",
        "actor": actor,
        "actor_id": uuid_of(actor),
        "artifact_id": uuid_of(organization, project, "artifact"),
        "builder": _BUILDER,
    }
    return {**claims, "ingredient": ingredient} if ingredient else claims


def _stated(claims: Claims) -> dict[str, tuple[str, ...]]:
    organization = text_claim(claims, "organization")
    project = text_claim(claims, "project")
    expected = ["org", organization, "project", project]
    if text_claim(claims, "sub").split(":")[:4] != expected:
        raise ClaimError("Check failed for required claim 'sub'")
    if claims.get("builder") != _BUILDER:
        raise ClaimError("Check failed for required claim 'builder'")
    actor = text_claim(claims, "actor")
    # The id identifies a person, whose name may later belong to somebody else.
    if text_claim(claims, "actor_id") != uuid_of(actor):
        raise ClaimError("Check failed for required claim 'actor_id'")
    return {
        "organization": (organization,),
        "activestate_project": (project,),
        "actor": (actor,),
        "ingredient": optional_claim(claims, "ingredient"),
    }


ACTIVESTATE = Provider(
    name="activestate",
    title="ActiveState",
    issuer="https://platform.activestate.com/api/v1/oauth/oidc",
    required=("organization", "activestate_project", "actor"),
    optional=("ingredient",),
    lifetime=1800.0,
    has_jti=False,
    claims=_claims,
    stated=_stated,
)
