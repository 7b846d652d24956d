"""The program that sent a request, as its `User-Agent` header describes it.

pip and uv add a JSON object with details of the machine, other clients add further products and
comments. The header of a browser names other browsers too.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

_PRODUCT = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)(?:/([^\s;,()]+))?")
_COMMENT = re.compile(r"\(([^()]*)\)")
_BROWSERS = {
    "Edg": "edge",
    "OPR": "opera",
    "Firefox": "firefox",
    "HeadlessChrome": "chrome",
    "Chrome": "chrome",
    "Version": "safari",
}
"""The browsers by the product in their headers. The first product that a header has decides."""
_MAX_DETAILS = 40
_MAX_TEXT = 200
_MAX_DEPTH = 3


class Client(msgspec.Struct, frozen=True):
    """A program that sends requests."""

    name: str
    """The name of the program in lower case, such as `pip`; empty if the header is empty."""
    version: str = ""
    details: tuple[tuple[str, str], ...] = ()
    """What the header says about the program's environment, such as its Python version."""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip() or "unknown"


@lru_cache(maxsize=1024)
def parse_user_agent(header: str) -> Client:
    """Return the program that a `User-Agent` header describes; any text is valid."""
    product = _PRODUCT.match(header)
    if product is None:
        return Client(header.split(" ", 1)[0][:_MAX_TEXT].lower())
    name, version = product[1], product[2] or ""
    rest = header[product.end() :].strip()
    if rest.startswith("{"):
        return _client(name, version, _described(rest))
    products = [(each[1], each[2] or "") for each in _PRODUCT.finditer(_COMMENT.sub(" ", rest))]
    comments = [("system", each) for each in _COMMENT.findall(rest) if each]
    if name == "Mozilla":
        versions = dict(reversed(products))
        for browser, shown in _BROWSERS.items():
            if browser in versions:
                return _client(shown, versions[browser], comments[:1])
    return _client(name, version, [*products, *comments])


def _client(name: str, version: str, details: list[tuple[str, str]]) -> Client:
    shown = [(key[:_MAX_TEXT], value[:_MAX_TEXT]) for key, value in details if value]
    return Client(name[:_MAX_TEXT].lower(), version[:_MAX_TEXT], tuple(shown[:_MAX_DETAILS]))


def _described(text: str) -> list[tuple[str, str]]:
    try:
        described = msgspec.json.decode(text.encode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        return []
    return list(_flat(described, "", 0)) if isinstance(described, dict) else []


def _flat(described: dict[str, object], prefix: str, depth: int) -> Iterator[tuple[str, str]]:
    for key, value in described.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flat_object(value, name, depth)
        elif isinstance(value, bool):
            yield name, "yes" if value else "no"
        elif isinstance(value, str | int | float):
            yield name, str(value)


def _flat_object(described: dict[str, object], name: str, depth: int) -> Iterator[tuple[str, str]]:
    given = described.get("name")
    if isinstance(given, str) and given:
        yield name, f"{given} {described.get('version') or ''}".strip()
        described = {key: described[key] for key in described if key not in ("name", "version")}
    if depth < _MAX_DEPTH:
        yield from _flat(described, f"{name} ", depth + 1)
