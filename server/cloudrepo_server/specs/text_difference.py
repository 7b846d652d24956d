"""A program that compares two texts line by line; the server can kill it.

The time that `difflib` needs can grow with the square of the number of lines.
"""

import difflib
import itertools

from cloudrepo_server.specs.line_program import serve_lines


def text_difference(old: str, new: str, max_lines: int) -> tuple[list[str], bool]:
    """Return the lines of a unified diff, and whether lines after `max_lines` were left out.

    The diff has no header with file names.
    """
    lines = difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="")
    # The first two lines name the files.
    found = list(itertools.islice(lines, 2, 2 + max_lines + 1))
    return found[:max_lines], len(found) > max_lines


if __name__ == "__main__":
    serve_lines(text_difference, None)
