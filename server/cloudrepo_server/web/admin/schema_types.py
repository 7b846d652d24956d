"""Types of fields in the admin API's bodies, and the fields of repository settings.

Most types only describe rules in the OpenAPI document. The domain checks these rules, because its
errors are clearer than those of a schema.
"""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from cloudrepo_server.domain.project_status import STATUSES
from cloudrepo_server.domain.token_values import CHOSEN_VALUE
from cloudrepo_server.domain.upstream import STRATEGIES
from cloudrepo_server.domain.users import (
    EMAIL,
    MAX_EMAIL,
    MAX_PASSPHRASE,
    MIN_PASSPHRASE,
    USER_NAME,
)
from cloudrepo_server.domain.visibility import ANONYMOUS, HIDING_STATUSES, LOGINS
from cloudrepo_server.limits import (
    MAX_TOKEN_NAME,
    MAX_TOKEN_SECONDS,
    MAX_TOKEN_VALUE,
    MIN_TOKEN_VALUE,
)
from cloudrepo_server.models import SETTINGS
from cloudrepo_server.specs.dialects import DIALECTS, RULES
from cloudrepo_server.specs.file_urls import PLACES
from cloudrepo_server.specs.identity_providers import NAMES

RepositoryName = Annotated[str, Meta(extra_json_schema={"pattern": "^[a-z0-9_-]{1,32}$"})]
Email = Annotated[
    str,
    Meta(extra_json_schema={"pattern": f"^({EMAIL}|{USER_NAME})$", "maxLength": MAX_EMAIL}),
]
Passphrase = Annotated[
    str, Meta(extra_json_schema={"minLength": MIN_PASSPHRASE, "maxLength": MAX_PASSPHRASE})
]
Status = Annotated[str, Meta(extra_json_schema={"enum": list(STATUSES)})]
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
ProviderName = Annotated[str, Meta(extra_json_schema={"enum": list(NAMES)})]
TokenName = Annotated[str, Meta(extra_json_schema={"maxLength": MAX_TOKEN_NAME})]
TokenValue = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": f"^{CHOSEN_VALUE}$",
            "minLength": MIN_TOKEN_VALUE,
            "maxLength": MAX_TOKEN_VALUE,
        }
    ),
]
TokenSeconds = Annotated[
    float, Meta(extra_json_schema={"minimum": -MAX_TOKEN_SECONDS, "maximum": MAX_TOKEN_SECONDS})
]
Run = Annotated[str, Meta(min_length=1, max_length=64)]

_DialectName = Annotated[str, Meta(extra_json_schema={"enum": list(DIALECTS)})]
_Place = Annotated[str, Meta(extra_json_schema={"enum": list(PLACES)})]
_Strategy = Annotated[str, Meta(extra_json_schema={"enum": list(STRATEGIES)})]
_Rules = Annotated[str, Meta(extra_json_schema={"enum": list(RULES)})]
_Logins = Annotated[str, Meta(extra_json_schema={"enum": list(LOGINS)})]
_Anonymous = Annotated[str, Meta(extra_json_schema={"enum": list(ANONYMOUS)})]
_HidingStatus = Annotated[int, Meta(extra_json_schema={"enum": list(HIDING_STATUSES)})]
_Bytes = Annotated[int, Meta(ge=0)]
_Seconds = Annotated[float, Meta(ge=0)]


def with_settings(base: type[msgspec.Struct], *, optional: bool) -> Any:  # noqa: ANN401 (generated)
    """Return a struct with the fields of `base` and one for each repository setting."""
    types = {
        "dialect": _DialectName,
        "file_url_seconds": _Seconds,
        "files": _Place | None,
        "max_file_size": _Bytes | None,
        "max_project_size": _Bytes | None,
        "max_release_age": _Seconds | None,
        "max_summary": _Bytes | None,
        "rules": _Rules | None,
        "upstream_strategy": _Strategy,
        "logins": _Logins,
        "anonymous": _Anonymous,
        "no_login_status": _HidingStatus | None,
        "no_access_status": _HidingStatus | None,
    }
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for setting in SETTINGS:
        type_ = types.get(setting.name, setting.type)
        fields.append(
            (setting.name, type_ | UnsetType, UNSET) if optional else (setting.name, type_)
        )
    return msgspec.defstruct("Settings", fields, bases=(base,), kw_only=True, frozen=True)
