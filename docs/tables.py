"""Tables of the documentation that are generated from the code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

from cloudrepo_server.specs.dialect import ATTRIBUTES, Dialect
from cloudrepo_server.specs.dialects import DIALECTS
from cloudrepo_server.specs.file_urls import INDEX
from cloudrepo_server.specs.pypi_rules.table import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PYPI_RULES_PAGE = Path(__file__).parent / "reference" / "pypi-rules.md"
BEGIN, END = "<!-- begin of the generated tables -->", "<!-- end of the generated tables -->"
FETCH_OPENAPI = """\
import os, sys, requests
url = os.environ["CLOUDREPO_URL"].partition("/repositories/")[0] + "/api/openapi.json"
sys.stdout.write(requests.get(url, timeout=30).text)
"""


def admin_api() -> str:
    """Return a table of the admin API's operations, from the OpenAPI document of a server."""
    fetch = [sys.executable, "-c", FETCH_OPENAPI]
    command = [sys.executable, "-m", "cloudrepo_server", "run", "--", *fetch]
    document = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - Python and this project
    rows = [
        (f"`{method.upper()}`", f"`{path}`", operation["summary"])
        for path, operations in sorted(json.loads(document)["paths"].items())
        for method, operation in operations.items()
    ]
    return _table(("method", "path", "what it does"), rows)


def dialects(describe: Callable[[Dialect], dict[str, str]]) -> str:
    """Return a table with a description of each dialect that imitates a registry."""
    rows = [describe(dialect) for dialect in DIALECTS.values() if dialect.has_registry]
    return _table(rows[0], [row.values() for row in rows])


def rejections() -> str:
    """Return a table of each dialect's response to an upload that would replace a file."""
    rows = [
        (
            f"`{dialect.name}`",
            str(dialect.exists_status),
            f"`{dialect.exists_text}`",
            _yes_or_no(dialect.exists_in_reason),
        )
        for dialect in DIALECTS.values()
        if dialect.has_registry
    ]
    return _table(("dialect", "status", "text", "also in the reason phrase"), rows)


def pypi_rules() -> str:
    """Return a table of PyPI's rules for each section, in PyPI's order."""
    parts = []
    for section in dict.fromkeys(rule.section for rule in RULES):
        rows = [
            (
                f"[`{rule.name}`]({rule.source})",
                rule.requires,
                f"{rule.status} {_template(rule.message)}",
                _template(rule.advice),
            )
            for rule in RULES
            if rule.section == section
        ]
        titles = ("rule", "what it requires", "PyPI's response", "how to correct a release")
        parts.append(f"### {section}\n\n{_table(titles, rows)}")
    return "\n\n".join(parts)


def write_pypi_rules() -> None:
    """Write the tables of PyPI's rules into their page."""
    before, _, rest = PYPI_RULES_PAGE.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    text = f"{before}{BEGIN}\n\n{pypi_rules()}\n\n{END}{after}"
    PYPI_RULES_PAGE.write_text(text, "utf-8")


def _template(text: str) -> str:
    # Returns the text with "…" in place of its placeholders.
    shortened = re.sub(r"['\"]?\{\w+(!r)?\}['\"]?", "…", text)
    return re.sub("…+", "…", shortened).replace("|", "\\|")


def uploads(dialect: Dialect) -> dict[str, str]:
    """Return how a dialect handles uploads."""
    return {
        "dialect": f"`{dialect.name}`",
        "files are protected": "always" if dialect.always_protected else "if the setting is on",
        "identical upload": _identical_upload(dialect),
        "PyPI's rules": "yes" if dialect.follows_pypi_rules else "if the setting is on",
        "name of a deleted file": "reserved" if dialect.deleted_text else "can be reused",
        "status of a file that is too large": str(dialect.too_large_status),
        "form without a digest": "rejected" if dialect.required_digests else "accepted",
        "files of any type": _yes_or_no(dialect.accepts_any_file),
    }


def _identical_upload(dialect: Dialect) -> str:
    if dialect.identical_accepted:
        return "accepted"
    rejected = "rejected" if dialect.exists_status >= HTTPStatus.BAD_REQUEST else "discarded"
    return f"{rejected} if protected"


def logins(dialect: Dialect) -> dict[str, str]:
    """Return how a dialect rejects missing and wrong credentials."""
    upload = 401 if dialect.unauthenticated_upload is None else 403
    return {
        "dialect": f"`{dialect.name}`",
        "read without a login": str(dialect.no_login_status),
        "read with a wrong login": str(dialect.wrong_login_status),
        "read without access": str(dialect.no_access_status),
        "upload without a login": str(upload),
        "upload with a wrong login": str(max(upload, dialect.wrong_login_status)),
        "upload by a read-only user": str(dialect.no_write_status),
        "why, in the reason phrase": _yes_or_no(dialect.login_text_in_reason),
        "user name with a token": " or ".join(
            f"`{name}`" if name else "an empty one" for name in dialect.token_user_names
        )
        or "any",
        "`WWW-Authenticate`": f"`{dialect.challenge.format(realm='…')}`",
    }


def pages(dialect: Dialect) -> dict[str, str]:
    """Return what the pages of a dialect contain, and which other APIs it has."""
    attributes = [f"`{name}`" for name in ATTRIBUTES if name in dialect.attributes]
    shows_all = len(attributes) == len(ATTRIBUTES)
    return {
        "dialect": f"`{dialect.name}`",
        "JSON pages": dialect.json_version or "no",
        "list of projects": _yes_or_no(dialect.lists_projects),
        "digests on pages": ", ".join(("sha256", *dialect.more_digests))
        if dialect.shows_hashes
        else "no",
        "properties on pages": "all" if shows_all else ", ".join(attributes) or "none",
        "pages may be cached for": f"{dialect.page_seconds} s" if dialect.page_seconds else "0 s",
        "redirects to normalized names": str(dialect.redirect_status or "no"),
        "serials": _yes_or_no(dialect.has_serials),
        "PyPI's own APIs": _yes_or_no(dialect.has_pypi_api),
        "files": "on the index"
        if dialect.files == INDEX
        else f"on another host, after a {dialect.file_redirect_status}",
    }


def _yes_or_no(condition: bool) -> str:  # noqa: FBT001 - the value itself is the argument
    return "yes" if condition else "no"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    write_pypi_rules()
