"""CSV that no spreadsheet executes."""

import csv
import io
from collections.abc import Iterable, Sequence

# A spreadsheet executes a cell as a formula if it begins with one of these.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def safe_cell(cell: str) -> str:
    """Return a cell that no spreadsheet executes as a formula."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Return rows of cells as encoded lines."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode(errors="replace")
