"""The log: one line for each record, as text or JSON, with secrets redacted."""

import io
import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from cloudrepo_server.logs.redaction import redacted, without_request_secrets

log = logging.getLogger("cloudrepo_server")

FIELDS = "fields"
"""The key under which `extra` holds the fields of a record: `extra={FIELDS: {...}}`."""

LogFormat = Literal["text", "json"]

_NO_QUOTES_NEEDED = r"[!#-<>-~]+"
# Printable ASCII characters need no check, and most lines contain no others.
_CANDIDATES = r"[^ -~]"


def configure(log_format: LogFormat | None = None) -> None:
    """Write the log of this process to standard error, by default as text.

    The encoding is UTF-8, unless a terminal shows the log. Programs that read JSON expect UTF-8.
    The default encoding on Windows lacks most characters. Python would write escapes for them that
    are invalid in JSON.
    """
    if isinstance(sys.stderr, io.TextIOWrapper) and not sys.stderr.isatty():
        sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # aiohttp would log a traceback for every request that is not valid HTTP.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def print_message(text: str, *, log_format: LogFormat | None, warning: bool = False) -> None:
    """Print a message for the user who started this process; as a record if the log is JSON."""
    if log_format == "json":
        log.log(logging.WARNING if warning else logging.INFO, text)
    elif warning:
        print(f"WARNING: {text}", file=sys.stderr)
    else:
        print(text, flush=True)


class TextFormatter(logging.Formatter):
    """A formatter for text: time, level, message, and the fields as `name=value`.

    Unprintable characters are escaped as in JSON. Only a traceback has several lines; each of them
    is indented, so that none looks like a record.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s%(fields_text)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, followed by its traceback if it has one."""
        pairs = (f" {name}={_quoted(value)}" for name, value in _fields(record).items())
        record.fields_text = "".join(pairs)
        return redacted(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the name in the base class)
        """Return the line without the traceback."""
        record.message = without_request_secrets(record.message)
        return escaped(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802, ANN401 (as in the base class)
        """Return the traceback."""
        lines = without_request_secrets(super().formatException(ei)).split("\n")
        return "\n".join(f"  {escaped(line)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """A formatter for JSON: an object with `time`, `level`, `message` and the fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "message": _without_secrets(record.getMessage()),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = _without_secrets(self.formatException(record.exc_info))
        return escaped(redacted(msgspec.json.encode(line).decode()))


def _fields(record: logging.LogRecord) -> Mapping[str, Any]:
    fields: Mapping[str, Any] = getattr(record, FIELDS, {})
    return {
        name: _without_secrets(value) if isinstance(value, str) else value
        for name, value in fields.items()
        if value is not None
    }


def escaped(text: str) -> str:
    """Return the text with each unprintable character escaped as in JSON.

    Those are control characters, line and paragraph separators, and invisible characters such as
    those that change the direction of the text.
    """
    return re.sub(_CANDIDATES, _escaped_character, text)


def _escaped_character(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    return json.dumps(character)[1:-1].replace("\x7f", "\\u007f")


def _without_secrets(text: str) -> str:
    # Only values are searched for secrets, and not the names of the fields.
    return without_request_secrets(_text(text))


def _text(text: str) -> str:
    # Bytes in headers that are not UTF-8 arrive as lone surrogates, which cannot be encoded.
    try:
        return text.encode(errors="surrogateescape").decode(errors="replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode(errors="replace").decode()


def _quoted(value: object) -> str:
    text = str(value)
    return text if re.fullmatch(_NO_QUOTES_NEEDED, text) else msgspec.json.encode(text).decode()
