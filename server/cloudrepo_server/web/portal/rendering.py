"""The templates' environment, and filters that format times, sizes and numbers."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from time import time
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from jinja2.filters import do_filesizeformat
from markupsafe import Markup

from cloudrepo_server.limits import MAX_SUGGESTIONS
from cloudrepo_server.web.portal.assets import asset_path
from cloudrepo_server.web.portal.forms import TOKEN_FIELD
from cloudrepo_server.web.portal.log.filters import fault_name
from cloudrepo_server.web.portal.log.rows import format_duration
from cloudrepo_server.web.portal.paths import (
    file_path,
    project_path,
    query,
    release_path,
    repository_path,
    test_path,
    user_path,
)
from cloudrepo_server.web.portal.releases import distribution_type
from cloudrepo_server.web.portal.shown_text import visible

_UNITS = ((60, "minute"), (60, "hour"), (24, "day"), (30, "month"), (12, "year"))
"""Each unit's length in the previous unit, and its name. A minute is 60 seconds."""

# Before the portal's own paths. Quotes in values are escaped, so no value matches.
_OWN_PATHS = re.compile(
    r'((?:href|src|action|formaction|data-live|data-suggestions)=")(?=/portal[/?"])'
)


_FIRST = ("base.html", "_macros.html", "sign_in.html")
"""The templates of the sign-in page, which is usually the first page."""


class Templates:
    """The portal's templates. Values are escaped, so markup in them is shown as text."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=PackageLoader("cloudrepo_server.web.portal"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            asset_path=asset_path,
            distribution_type=distribution_type,
            fault_name=fault_name,
            file_path=file_path,
            project_path=project_path,
            query=query,
            release_path=release_path,
            repository_path=repository_path,
            test_path=test_path,
            user_path=user_path,
            token_field=TOKEN_FIELD,
            max_suggestions=MAX_SUGGESTIONS,
        )
        self._environment.filters.update(
            format_size=format_size,
            format_time=format_time,
            format_count=format_count,
            format_duration=format_duration,
            visible=visible,
        )

    @property
    def names(self) -> list[str]:
        """The file names of all templates, those of the sign-in page first."""
        return sorted(self._environment.list_templates(), key=lambda name: name not in _FIRST)

    def compile(self, template: str) -> None:
        """Compile a template, so that the first page that needs it does not wait for it."""
        self._environment.get_template(template)

    def render(self, template: str, context: Mapping[str, Any], *, prefix: str = "") -> str:
        """Return a page's HTML.

        Args:
            template: the file name of the template.
            context: the variables of the template.
            prefix: the path at which a proxy serves the server. It is added to all paths.
        """
        html = self._environment.get_template(template).render(context)
        return _OWN_PATHS.sub(rf"\1{prefix}", html) if prefix else html


def format_size(size: int) -> str:
    """Return a size in bytes as text with a unit, such as "1.5 MiB"."""
    return do_filesizeformat(size, binary=True)


def format_count(number: int, noun: str) -> str:
    """Return a number with its noun, such as "1 file" or "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_time(moment: str | float) -> Markup:
    """Return a time as HTML, relative to now, with the exact time in its tooltip.

    `moment` is an ISO 8601 text with a time zone, or seconds since the epoch.
    """
    exact = (
        datetime.fromisoformat(moment)
        if isinstance(moment, str)
        else datetime.fromtimestamp(moment, UTC)
    )
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(),
        f"{exact.day} {exact:%B %Y, %H:%M:%S} UTC",
        _format_age(time() - exact.timestamp()),
    )


def _format_age(seconds: float) -> str:
    """Return an age in the largest unit that fits, such as "3 hours ago" or "in 3 hours"."""
    amount, unit = abs(seconds), ""
    for length, name in _UNITS:
        if amount < length:
            break
        amount, unit = amount / length, name
    if not unit:
        return "just now"
    text = format_count(int(amount), unit)
    return f"in {text}" if seconds < 0 else f"{text} ago"
