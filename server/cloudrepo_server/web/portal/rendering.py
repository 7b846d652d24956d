"""Templates, and how times and sizes read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from time import time
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.filters import do_filesizeformat
from markupsafe import Markup

from cloudrepo_server.web.portal.assets import asset_path
from cloudrepo_server.web.portal.forms import TOKEN_FIELD
from cloudrepo_server.web.portal.paths import repository_path, user_path

_STEPS = ((60, "minute"), (60, "hour"), (24, "day"), (30, "month"), (12, "year"))


class Templates:
    """The portal's templates; whatever a value holds is shown as text."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("cloudrepo_server.web.portal"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(
            asset=asset_path,
            repository_path=repository_path,
            user_path=user_path,
            token_field=TOKEN_FIELD,
        )
        self._environment.filters.update(size=size, when=when, counted=counted)

    def render(self, template: str, context: Mapping[str, Any]) -> str:
        """A page's HTML."""
        return self._environment.get_template(template).render(context)


def size(number: int) -> str:
    """A number of bytes in readable units."""
    return do_filesizeformat(number, binary=True)


def counted(number: int, noun: str) -> str:
    """A number with its noun: "1 file", "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def when(moment: str | float) -> Markup:
    """A time told relative to now; the exact one shows on hover.

    `moment` is as the simple API writes it, or seconds since the epoch.
    """
    exact = (
        datetime.fromisoformat(moment)
        if isinstance(moment, str)
        else datetime.fromtimestamp(moment, UTC)
    )
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(),
        f"{exact.day} {exact:%B %Y, %H:%M:%S} UTC",
        ago(time() - exact.timestamp()),
    )


def ago(seconds: float) -> str:
    """How long ago, in the largest unit that fits."""
    if seconds < 0:
        return "in the future" if seconds < -_STEPS[0][0] else "just now"
    amount, unit = seconds, ""
    for length, name in _STEPS:
        if amount < length:
            break
        amount, unit = amount / length, name
    if not unit:
        return "just now"
    return f"{counted(int(amount), unit)} ago"
