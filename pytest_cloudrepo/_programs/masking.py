"""Replacing secrets in texts by `***`, in whichever way a program has encoded them."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    import warnings
    from collections.abc import Callable, Collection

    import pytest

_MASK: Final = "***"

# The password in a URL. It may contain an unencoded @, and so may the user name before it.
_PASSWORD_IN_URL: Final = re.compile(r"(://[^\s/:]*:)[^\s/]*(?=@)")
# pytest replaces the middle of a long text by dots, which may be inside a password. These match the
# part of the password before the dots, and the part after them.
_CUT_PASSWORD: Final = re.compile(r"(://[^\s/:@'\"]*:)[^\s/:@'\"]+?(?=\.\.\.)")
_CUT_PASSWORD_END: Final = re.compile(r"(?<=\.\.\.)[^\s/@'\"]+(?=@)")
# Where pprint continues a long literal on the next line, perhaps in the middle of a secret.
_LITERAL_BREAK: Final = re.compile(r"['\"]\n\s*b?['\"]")
_UNCHANGED: Final = re.compile(r"[0-9A-Za-z]+")

# Programs also get tokens from the server itself, by trusted publishing. The plugin does not know
# these tokens, but recognizes their form: all tokens of one kind begin with the same characters.
_UPLOAD_TOKEN: Final = r"(?:pypi-)?cloudrepo\.[0-9a-f]{16}\.[\w-]{43}"  # noqa: S105 - a pattern
_TOKEN_HEADER: Final = b'{"alg":"RS256","kid":"cloudrepo'
_TOKEN_IN_BASIC: Final = b"__token__:pypi-clo"
_TOKENS: Final = re.compile(
    rf"{_UPLOAD_TOKEN}"
    rf"|{b64encode(_TOKEN_HEADER[:30]).decode()}[\w-]*\.[\w-]+\.[\w-]+"
    rf"|{b64encode(_TOKEN_IN_BASIC).decode()}[\w+/=-]*"
)


def mask(text: str, secrets: Collection[str]) -> str:
    """Return the text with each secret replaced by `***`, also where the secret is encoded.

    The tokens that servers issue are secrets too.
    """
    text = _TOKENS.sub(_MASK, text)
    joined = _LITERAL_BREAK.sub("", text) if "\n" in text else text
    present = tuple(secret for secret in secrets if secret and _may_contain(joined, secret))
    return _pattern(present, broken=joined != text).sub(_MASK, text) if present else text


def mask_urls(text: str) -> str:
    """Return the text without the passwords in its URLs."""
    return _PASSWORD_IN_URL.sub(rf"\1{_MASK}", text)


def mask_report(report: pytest.TestReport, secrets: Collection[str]) -> None:
    """Mask secrets in everything that a report shows: the failure, the output, the properties."""

    def masked(text: str) -> str:
        text = mask(text, secrets)
        if "..." in text:
            text = _CUT_PASSWORD_END.sub(_MASK, _CUT_PASSWORD.sub(rf"\1{_MASK}", text))
        return text

    report.longrepr = _masked(report.longrepr, masked, set())
    report.sections[:] = [(masked(title), masked(text)) for title, text in report.sections]
    report.user_properties[:] = [
        (masked(str(name)), _masked_property(value, masked))
        for name, value in report.user_properties
    ]
    # pytest's plugin for expected failures sets this attribute of some reports.
    if hasattr(report, "wasxfail"):
        report.wasxfail = masked(report.wasxfail)


def mask_warning(warning: warnings.WarningMessage, secrets: Collection[str]) -> None:
    """Mask secrets in a warning, which pytest shows in its summary."""
    text = str(warning.message)
    masked = mask(text, secrets)
    if masked != text:
        warning.message = Warning(masked)


def _masked(value: Any, masked: Callable[[str], str], seen: set[int]) -> Any:  # noqa: ANN401 - any object of pytest's reports
    """Return the value with its texts masked; the objects of pytest's reports change in place."""
    result = value
    if isinstance(value, str):
        result = masked(value)
    elif type(value) in (list, tuple):
        result = type(value)(_masked(item, masked, seen) for item in value)
    elif type(value).__module__.partition(".")[0] == "_pytest" and id(value) not in seen:
        seen.add(id(value))
        for name, item in list(getattr(value, "__dict__", {}).items()):
            changed = _masked(item, masked, seen)
            if changed is not item:
                object.__setattr__(value, name, changed)  # some of the classes are frozen
    return result


def _masked_property(value: object, masked: Callable[[str], str]) -> object:
    """Return the masked value, or its masked text if another object in it shows a secret."""
    value = _masked(value, masked, set())
    text = str(value)
    return value if masked(text) == text else masked(text)


def _may_contain(text: str, secret: str) -> bool:
    """Return whether a text may contain a secret: a fast check, because a session has many.

    No encoding changes ASCII letters and digits.
    """
    longest = max(_UNCHANGED.findall(secret), key=len, default="")
    return longest in text


@lru_cache(maxsize=64)
def _pattern(secrets: tuple[str, ...], *, broken: bool) -> re.Pattern[str]:
    # Longest first: if a secret is a prefix of a longer secret, masking the shorter one first would
    # leave the rest of the longer one.
    ordered = sorted(secrets, key=len, reverse=True)
    between = f"(?:{_LITERAL_BREAK.pattern})?" if broken else ""
    spelled = (between.join(_spellings(character) for character in secret) for secret in ordered)
    return re.compile("|".join(spelled))


def _spellings(character: str) -> str:
    """Return a pattern for one character as URLs, JSON, HTML, Python and shells encode it.

    Programs differ in which characters of a text they encode, so each character has a pattern.
    """
    encoded = quote(character, safe="")
    spellings = {
        character,
        encoded,
        encoded.lower() if encoded != character else character,
        json.dumps(character)[1:-1],
        html.escape(character),
    }
    if not character.isalnum():
        spellings.add(f"\\{character}")
    if character == " ":
        spellings.add("+")
    ordered = sorted(spellings, key=len, reverse=True)
    return f"(?:{'|'.join(map(re.escape, ordered))})"
