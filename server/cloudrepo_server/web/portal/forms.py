"""What a browser's forms bring."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from cloudrepo_server.errors import ForbiddenError, InvalidError, TooLargeError
from cloudrepo_server.web.index.upload_form import read_body

TOKEN_FIELD = "form-token"  # noqa: S105 (the name of the field)
_MAX_FORM = 64 << 10
_MAX_FIELDS = 100


async def read_fields(request: web.Request) -> dict[str, str]:
    """The fields of a form without files.

    Raises:
        InvalidError: it is no such form.
        TooLargeError: it is larger than any form of the portal.
    """
    if request.content_type != "application/x-www-form-urlencoded":
        raise InvalidError("This page takes its own form alone.")
    body = bytearray()
    async for chunk in read_body(request):
        body += chunk
        if len(body) > _MAX_FORM:
            raise TooLargeError(f"The form has more than {_MAX_FORM} bytes.")
    try:
        fields = parse_qsl(
            body.decode("ascii", "replace"), keep_blank_values=True, max_num_fields=_MAX_FIELDS
        )
    except ValueError as error:
        raise InvalidError(f"The form has more than {_MAX_FIELDS} fields.") from error
    return dict(fields)


def require_own_origin(request: web.Request) -> None:
    """Refuse a form that a page of another site sent.

    A browser says where a form is from; whoever does not has the form's token to show.

    Raises:
        ForbiddenError: it is from elsewhere.
    """
    source = request.headers.get("Origin") or request.headers.get("Referer")
    if source is not None and _host(source) != request.host:
        raise ForbiddenError("This form was sent by a page of another site; nothing was done.")


def is_checked(form: Mapping[str, str], name: str) -> bool:
    """Whether a box was ticked: a browser sends only those that are."""
    return name in form


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
