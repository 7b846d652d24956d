"""Reading and checking the forms that browsers submit."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import web

from cloudrepo_server.errors import InvalidError, TooLargeError
from cloudrepo_server.web.http.request_body import body_chunks

TOKEN_FIELD = "form-token"  # noqa: S105 (the name of the field, not a token)
_MAX_BYTES = 64 << 10
_MAX_FIELDS = 100


async def read_fields(request: web.Request) -> dict[str, str]:
    """Return the fields of a form without files.

    Raises:
        InvalidError: the body is not such a form, or has too many fields.
        TooLargeError: the body is larger than any form of the portal.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise InvalidError(
            "Unsupported form type: this page accepts application/x-www-form-urlencoded only."
        )
    body = bytearray()
    async for chunk in body_chunks(request):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise TooLargeError(f"The form is too large: it has more than {_MAX_BYTES} bytes.")
    try:
        fields = parse_qsl(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise InvalidError(
            f"The form has too many fields: at most {_MAX_FIELDS} are accepted."
        ) from error
    return dict(fields)


def is_checked(form: Mapping[str, str], name: str) -> bool:
    """Return whether a checkbox was ticked: browsers send only ticked checkboxes."""
    return name in form


def lines_of(form: Mapping[str, str], name: str) -> list[str]:
    """Return the lines of a text field, without empty lines and surrounding spaces."""
    return [line.strip() for line in form.get(name, "").splitlines() if line.strip()]
