"""Google Cloud: the identity of a service account."""

import re
from typing import Any

from cloudrepo_server.specs.identity_providers.provider import (
    ClaimError,
    Claims,
    Fields,
    Provider,
    number_of,
    optional_claim,
    text_claim,
)

_EMAIL = re.compile(r"[^\s@/]+@[^\s@/]+")


def _claims(fields: Fields, _: Claims) -> dict[str, Any]:
    subject = fields.get("sub", number_of(fields["email"]).zfill(21))
    return {"sub": subject, "azp": subject, "email": fields["email"], "email_verified": True}


def _stated(claims: Claims) -> dict[str, tuple[str, ...]]:
    email = text_claim(claims, "email")
    if claims.get("email_verified") is not True:
        raise ClaimError("Check failed for required claim 'email_verified'")
    return {"email": (email,), "sub": optional_claim(claims, "sub")}


GOOGLE = Provider(
    name="google",
    title="Google",
    issuer="https://accounts.google.com",
    required=("email",),
    optional=("sub",),
    patterns={"email": (_EMAIL, "use the e-mail address of a service account")},
    lifetime=3600.0,
    backdated=None,
    has_jti=False,
    claims=_claims,
    stated=_stated,
    shown={"email": "email"},
)
