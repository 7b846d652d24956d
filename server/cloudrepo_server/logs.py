"""The log: one line a record, as text or JSON, without what is secret."""

import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

log = logging.getLogger("cloudrepo_server")

FIELDS = "fields"
"""The name under which a record is given further fields, as `extra={FIELDS: {...}}`."""

LogFormat = Literal["text", "json"]

_HIDDEN = r"\1***"
_SECRETS = (
    # A login in a URL, also in one that is quoted in a path.
    r"(?ia)(:(?://|%2f%2f))[^\s/\"'\\]+(?=@|%40)",
    r"(?a)(cloudrepo\.[0-9a-z]+\.)[\w-]+",
    r"(?ia)(authorization\W+\w+\s+)[^\s\"'\\]+",
    # What signs the URLs of object stores.
    r"(?ia)([?&](?:sig|[\w-]*(?:signature|credential|security-token))=)[^\s&\"'\\]+",
)
_PLAIN = r"[!#-<>-~]+"


def begin(log_format: LogFormat | None = None) -> None:
    """Write this process's log to the standard error stream, as text if nothing else is said."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # aiohttp would print a traceback for every client that does not speak HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def announce(text: str, *, log_format: LogFormat | None, warning: bool = False) -> None:
    """Tell whoever started this process something; as a record, where all lines are records."""
    if log_format == "json":
        log.log(logging.WARNING if warning else logging.INFO, text)
    elif warning:
        print(f"WARNING: {text}", file=sys.stderr)
    else:
        print(text, flush=True)


def redacted(text: str) -> str:
    """The text without logins in URLs, tokens, Authorization headers and signatures."""
    for secret in _SECRETS:
        # Compiled with the first line, which in most runs of tests is never written.
        text = re.sub(secret, _HIDDEN, text)
    return text


class TextFormatter(logging.Formatter):
    """Time, level, message, and the fields as `name=value`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s%(shown)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, and its traceback where it has one."""
        shown = (f" {name}={_quoted(value)}" for name, value in _fields(record).items())
        record.shown = "".join(shown)
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """Each record as one JSON object a line: `time`, `level`, `message` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "message": _text(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = _text(self.formatException(record.exc_info))
        return redacted(msgspec.json.encode(line).decode())


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, FIELDS, {})
    return {
        name: _text(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }


def _text(text: str) -> str:
    # Headers may hold bytes that are no UTF-8, which come as lone surrogates.
    return text.encode(errors="surrogateescape").decode(errors="replace")


def _quoted(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(_PLAIN, text) else msgspec.json.encode(text).decode()
