"""The headers and the query of a request as the journal records them, with secrets masked."""

import re
from urllib.parse import unquote

import msgspec
from aiohttp import web

from cloudrepo_server.domain.token_values import TOKEN_PREFIX
from cloudrepo_server.errors import truncate
from cloudrepo_server.limits import JOURNAL_TEXT
from cloudrepo_server.logs.redaction import MASK, redacted_record
from cloudrepo_server.testkit.journal import encode_headers

_SECRET_NAME = re.compile(
    r"authorization|cookie|token|secret|passw|passphrase|credential|signature|api.?key",
    re.IGNORECASE,
)
_SCHEME = re.compile(r"(?:basic|bearer|digest|negotiate) ", re.IGNORECASE)
# The credentials in a URL, and a token of this server anywhere.
_SECRET_VALUE = re.compile(rf"(?<=//)[^/@\s]+(?=@)|{re.escape(TOKEN_PREFIX)}[0-9a-f]{{16}}\.[\w-]+")


def masked_headers(request: web.BaseRequest) -> msgspec.Raw:
    """Return the headers of a request as JSON for the journal."""
    return encode_headers(
        tuple((str(name), _masked_header(name, value)) for name, value in request.headers.items())
    )


def masked_query(request: web.BaseRequest) -> str:
    """Return the query string of a request for the journal."""
    query = redacted_record(_valid(request.rel_url.raw_query_string))
    if not query:
        return ""
    return truncate("&".join(map(_masked_parameter, query.split("&"))), JOURNAL_TEXT)


def _masked_header(name: str, value: str) -> str:
    if _SECRET_NAME.search(name):
        scheme = _SCHEME.match(value)
        return (scheme[0] if scheme else "") + MASK
    return _SECRET_VALUE.sub(MASK, redacted_record(_valid(value)))


def _masked_parameter(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    if equals and _SECRET_NAME.search(unquote(name)):
        return f"{name}={MASK}"
    return parameter if _SECRET_VALUE.search(unquote(parameter)) is None else MASK


def _valid(text: str) -> str:
    """Return a text as valid Unicode: a request may contain bytes that are not UTF-8."""
    return text.encode(errors="surrogateescape").decode(errors="replace")
