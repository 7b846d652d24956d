"""Tables of the documentation that the code itself fills."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from cloudrepo_server.specs.dialect import ATTRIBUTES, DIALECTS, Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable

FETCH = """\
import os, sys, requests
url = os.environ["CLOUDREPO_URL"].partition("/repositories/")[0] + "/api/openapi.json"
sys.stdout.write(requests.get(url, timeout=30).text)
"""


def admin_api() -> str:
    """Give the operations of the admin API, as a server describes them."""
    command = [sys.executable, "-m", "cloudrepo_server", "run", "--", sys.executable, "-c", FETCH]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - Python and this project
    paths = json.loads(answer)["paths"]
    rows = [
        (f"`{method.upper()}`", f"`{path}`", operation["summary"])
        for path, operations in sorted(paths.items())
        for method, operation in operations.items()
    ]
    return _table(("method", "path", "what it does"), rows)


def dialects() -> str:
    """Give what each dialect answers and tells."""
    rows = [_traits(dialect) for dialect in DIALECTS.values()]
    return _table(rows[0], [row.values() for row in rows])


def refusals() -> str:
    """Give the words in which each dialect refuses other bytes under an existing name."""
    rows = [
        (
            f"`{dialect.name}`",
            str(dialect.exists_status),
            f"`{dialect.exists_text}`",
            _yes(dialect.exists_in_reason),
        )
        for dialect in DIALECTS.values()
    ]
    return _table(("dialect", "status", "words", "also in the reason phrase"), rows)


def _traits(dialect: Dialect) -> dict[str, str]:
    told = [f"`{name}`" for name in ATTRIBUTES if name in dialect.attributes]
    return {
        "dialect": f"`{dialect.name}`",
        "names stay taken": "always" if dialect.always_protected else "under protection",
        "identical bytes again": "200" if dialect.identical_accepted else "refused",
        "a deleted file's name": "stays taken" if dialect.deleted_text else "is free",
        "a file too large": str(dialect.too_large_status),
        "JSON pages": dialect.json_version or "no",
        "digests on pages": _yes(dialect.shows_hashes),
        "pages tell": "all" if len(told) == len(ATTRIBUTES) else ", ".join(told) or "nothing",
        "takes any file": _yes(dialect.accepts_any_file),
    }


def _yes(it_is: bool) -> str:  # noqa: FBT001 - a yes or no is what is told
    return "yes" if it_is else "no"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *map(list, rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
