"""Replaces secrets with `***` in texts that are logged or recorded.

Two kinds of secrets are found. Some are recognized by their form: the credentials in a URL, tokens,
Authorization headers and signatures. Others are known: the credentials of the current request. The
known secrets are found in every encoding that a path or a message may have.
"""

import re
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from functools import lru_cache
from typing import NamedTuple

MASK = "***"

# The length of the shortest secret that is replaced. Shorter secrets may be parts of words.
_MIN_SECRET = 8

# The shortest beginning of a truncated secret that is replaced, in characters.
_MIN_PART = 16

_MAX_PARTS = 8
_MAX_ENCODINGS = 4
_CACHED_SECRETS = 64
_CACHED_TEXTS = 512
_MAX_CACHED_TEXT = 512
_MIN_CANONICAL = 4


class _Needle(NamedTuple):
    """A secret to look for in texts."""

    canonical: bytes
    """The secret without the separators of names."""
    before: int
    """The number of separators that the secret begins with."""
    after: int
    """The number of separators that the secret ends with."""


_request_secrets: ContextVar[tuple[_Needle, ...]] = ContextVar("request_secrets", default=())

_secret_added: ContextVar[bool] = ContextVar("secret_added", default=False)

_REDACTED = rf"\1{MASK}"
# The part of a URL from its scheme to the end of its host; the URL may be percent-encoded. It is
# matched as a whole. A search for the end of the credentials after each scheme would take time
# that grows with the square of the length.
_AUTHORITY = r"(?ia)(:(?://|%2f%2f))([^\s/\"'\\]++)"
# Credentials without a scheme, such as the segment `user:password@host` of a path.
_SEGMENT = r"(?a)(?<![^\s/\"'\\=])[^\s/\"'\\=@%]*+[@%][^\s/\"'\\=]*+"
_END_OF_CREDENTIALS = r"(?=@|%(?:25)*+40)"
_CREDENTIALS = rf"(?is).+{_END_OF_CREDENTIALS}"
_COLON = r"(?i):|%(?:25)*+3a"
_SECRETS = {
    "cloudrepo": r"(?ia)(cloudrepo(?:\.|%(?:25)*2e)[0-9a-z]+(?:\.|%(?:25)*2e))[\w-]+",
    "authorization": r"(?ia)(authorization\W+\w+\s+)[^\s\"'\\]+",
    # The signatures in presigned URLs of object stores.
    "=": r"(?ia)([?&](?:sig|[\w-]*(?:signature|credential|security-token))=)[^\s&\"'\\]+",
}
"""The patterns of secrets. Each key is a lower-case part of every match of its pattern."""

# A character as URLs, HTML, JSON or Python encode it, even several times. The pattern has no flag
# IGNORECASE, because a search with this flag takes ten times as long.
_ENCODED = re.compile(
    rb"%(?:25)*([0-9A-Fa-f]{2})|&(?:amp;)*(?:#(\d{1,4})|#[Xx]([0-9A-Fa-f]{1,4})"
    rb"|(amp|lt|gt|quot));|\\+(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|([\"'\\/]))"
)
_ENTITIES = {b"amp": b"&", b"lt": b"<", b"gt": b">", b"quot": b'"'}
# Names of projects are normalized: any run of these characters may become another one of them.
_SEPARATORS = b"-_."


def set_request_secrets(secrets: Iterable[str]) -> None:
    """Set the secrets of the request that the current task handles."""
    _request_secrets.set(_needles(tuple(secrets)))
    _secret_added.set(False)


def add_request_secret(secret: str) -> None:
    """Add a secret of the request that was found after a part of the request was recorded."""
    added = _needles((secret,))
    if not set(added) <= set(_request_secrets.get()):
        _request_secrets.set((*_request_secrets.get(), *added))
        _secret_added.set(True)


def was_secret_added() -> bool:
    """Return whether `add_request_secret` has added a secret of the current request."""
    return _secret_added.get()


def redacted(text: str) -> str:
    """Return the text without the secrets that are recognized by their form."""
    # The patterns are compiled when they are first used, because most servers log nothing.
    lower = text.lower()
    if "@" in lower or "%" in lower:
        text = re.sub(_AUTHORITY, _without_credentials, text)
        text = re.sub(_SEGMENT, _without_login, text)
    for sign, secret in _SECRETS.items():
        if sign in lower:
            text = re.sub(secret, _REDACTED, text)
    return text


def without_request_secrets(text: str) -> str:
    """Return the text without the secrets of the current request."""
    return _without_needles(text, _request_secrets.get())


def redacted_record(text: str) -> str:
    """Return a text of a request without all kinds of secrets, for the journal."""
    needles = _request_secrets.get()
    # Many requests have the same user agent, response or path.
    if len(text) <= _MAX_CACHED_TEXT:
        return _redacted_short_record(text, needles)
    return _redacted_record(text, needles)


def _redacted_record(text: str, needles: tuple[_Needle, ...]) -> str:
    # Known secrets are replaced first, because a pattern could match only a part of such a secret.
    return redacted(_without_needles(text, needles))


_redacted_short_record = lru_cache(_CACHED_TEXTS)(_redacted_record)


def _without_needles(text: str, needles: tuple[_Needle, ...]) -> str:
    if not needles:
        return text
    data = text.encode(errors="surrogateescape")
    canonical = _canonical(data)
    if not any(needle.canonical[:_MIN_PART] in canonical for needle in needles):
        return text
    return _without(data, needles).decode(errors="surrogateescape")


def _without_credentials(authority: re.Match[str]) -> str:
    credentials = re.match(_CREDENTIALS, authority[2])
    if credentials is None:
        return authority[0]
    return f"{authority[1]}{MASK}{authority[2][credentials.end() :]}"


def _without_login(segment: re.Match[str]) -> str:
    credentials = re.match(_CREDENTIALS, segment[0])
    if (
        credentials is None
        or credentials[0].endswith(MASK)
        # A user name alone is no secret, and looks like an e-mail address.
        or not re.search(_COLON, credentials[0])
    ):
        return segment[0]
    return MASK + segment[0][credentials.end() :]


@lru_cache(_CACHED_SECRETS)
def _needles(secrets: tuple[str, ...]) -> tuple[_Needle, ...]:
    needles = []
    for secret in secrets:
        # In a path, a secret with slashes becomes several segments.
        parts = secret.split("/", _MAX_PARTS)[:_MAX_PARTS] if "/" in secret else ()
        for part in (secret, *parts):
            if len(part) >= _MIN_SECRET:
                data = part.encode(errors="surrogateescape")
                canonical = _canonical(data)
                if len(canonical) >= _MIN_CANONICAL:
                    ends = _separators_at_start(data), _separators_at_end(data)
                    needles.append(_Needle(canonical, *ends))
    return tuple(needles)


def _canonical(data: bytes) -> bytes:
    """Return the text without encodings, in lower case and without the separators of names."""
    for _ in range(_MAX_ENCODINGS):
        if b"%" not in data and b"&" not in data and b"\\" not in data:
            break
        encoded, data = data, _ENCODED.sub(_decoded, data)
        if data == encoded:
            break
    return data.lower().translate(None, _SEPARATORS)


def _decoded(found: re.Match[bytes]) -> bytes:
    percent, number, hexadecimal, entity, unicode, byte, escaped = found.groups()
    if percent is not None:
        return bytes((int(percent, 16),))
    if entity is not None:
        return _ENTITIES[entity]
    if escaped is not None:
        return bytes(escaped)
    code = int(number) if number is not None else int(hexadecimal or unicode or byte, 16)
    return chr(code).encode(errors="surrogatepass")


def _without(data: bytes, needles: Iterable[_Needle]) -> bytes:
    decoded, spans = data, [(index, index + 1) for index in range(len(data))]
    for _ in range(_MAX_ENCODINGS):
        decoded, spans = _decode_once(decoded, spans)
    kept = [index for index, byte in enumerate(decoded) if byte not in _SEPARATORS]
    canonical = bytes(decoded[index] for index in kept).lower()
    hidden = bytearray(len(data))
    for needle in needles:
        for at, length in _occurrences(canonical, needle.canonical):
            first, last = kept[at], kept[at + length - 1]
            first -= _separators_at_end(decoded[max(0, first - needle.before) : first])
            if length == len(needle.canonical):
                last += _separators_at_start(decoded[last + 1 : last + 1 + needle.after])
            start, end = spans[first][0], spans[last][1]
            hidden[start:end] = b"\x01" * (end - start)
    return _replace_hidden(data, hidden)


def _separators_at_start(data: bytes) -> int:
    return len(data) - len(data.lstrip(_SEPARATORS))


def _separators_at_end(data: bytes) -> int:
    return len(data) - len(data.rstrip(_SEPARATORS))


def _decode_once(data: bytes, spans: list[tuple[int, int]]) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the decoded bytes, and the span of each byte's encoding in the original text."""
    decoded, decoded_spans, at = bytearray(), [], 0
    for found in _ENCODED.finditer(data):
        character = _decoded(found)
        span = spans[found.start()][0], spans[found.end() - 1][1]
        decoded += data[at : found.start()] + character
        decoded_spans += [*spans[at : found.start()], *[span] * len(character)]
        at = found.end()
    return bytes(decoded + data[at:]), decoded_spans + spans[at:]


def _occurrences(canonical: bytes, needle: bytes) -> Iterator[tuple[int, int]]:
    beginning = needle[:_MIN_PART]
    at = canonical.find(beginning)
    while at >= 0:
        length = len(beginning)
        while (
            length < len(needle)
            and canonical[at + length : at + length + 1] == (needle[length : length + 1])
        ):
            length += 1
        yield at, length
        at = canonical.find(beginning, at + length)


def _replace_hidden(data: bytes, hidden: bytearray) -> bytes:
    result = bytearray()
    at = 0
    while at < len(data):
        end = hidden.find(not hidden[at], at)
        end = len(data) if end < 0 else end
        result += MASK.encode() if hidden[at] else data[at:end]
        at = end
    return bytes(result)
