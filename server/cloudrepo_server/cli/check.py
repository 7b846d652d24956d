"""The command `check`: reports why PyPI would reject files, without uploading them."""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cloudrepo_server.cli.arguments import positive_integer
from cloudrepo_server.cli.terminal import print_error, progress

if TYPE_CHECKING:
    from cloudrepo_server.specs.pypi_rules.release_files import FileReport

EXAMPLES = (
    "check dist/*",
    "check --format junit dist/ > pypi.xml",
)
_FORMATS = ("text", "json", "junit")
_FINDINGS = 1
_UNREADABLE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this command to a parser."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a wheel, an sdist, or a folder of them"
    )
    parser.add_argument(
        "--rules",
        choices=("pypi",),
        default="pypi",
        help="the rules to check (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="text",
        help="the format of the report (default: %(default)s)",
    )
    parser.add_argument(
        "--existing-project",
        action="store_true",
        help="leave out the rules for the name of a new project",
    )
    parser.add_argument(
        "--max-file-size",
        type=positive_integer,
        metavar="BYTES",
        help="the largest file size, if PyPI raised the limit of the project",
    )


def run(parsed: argparse.Namespace) -> int:
    """Check the files, and print a report.

    Returns:
        0 if PyPI would accept all files, 1 if it would reject one, 2 if one cannot be read.
    """
    # Imported here, so that other commands start sooner.
    from cloudrepo_server.cli import check_report, output
    from cloudrepo_server.specs.pypi_rules.libraries import INSTALL, missing_libraries
    from cloudrepo_server.specs.pypi_rules.release_files import Options, check_files
    from cloudrepo_server.specs.pypi_rules.releases import MAX_FILE_SIZE

    missing = missing_libraries()
    if missing:
        print_error(f"check needs {', '.join(missing)}: install the extra with {INSTALL}")
        return _UNREADABLE
    options = Options(
        is_existing_project=parsed.existing_project,
        max_file_size=parsed.max_file_size or MAX_FILE_SIZE,
    )
    with _Renderer() as renderer:
        paths = _expand(parsed.files)
        with progress(f"Checking {len(paths)} files"):
            reports = check_files(paths, renderer.renders, options)
    writers = {
        "text": check_report.as_text,
        "json": output.as_json,
        "junit": check_report.as_junit,
    }
    sys.stdout.write(writers[parsed.format](reports))
    return _status(reports)


class _Renderer:
    """A process that renders descriptions, and that is killed if it does not finish in time."""

    def __init__(self) -> None:
        # Imported here, so that other commands start sooner.
        from cloudrepo_server.domain.readme_process import ReadmeProcess

        self._runner = asyncio.Runner()
        self._process = ReadmeProcess()

    def __enter__(self) -> Self:
        """Return the renderer. The process starts with the first description."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        with self._runner as runner:
            runner.run(self._process.close())

    def renders(self, text: str, content_type: str) -> bool:
        """Return whether PyPI accepts a description."""
        return self._runner.run(self._process.render(text, content_type)).is_valid


def _status(reports: Iterable["FileReport"]) -> int:
    if any(report.error is not None for report in reports):
        return _UNREADABLE
    return _FINDINGS if any(report.findings for report in reports) else 0


def _expand(paths: Iterable[Path]) -> list[Path]:
    expanded: list[Path] = []
    for path in paths:
        if path.is_dir():
            expanded += sorted(each for each in path.iterdir() if each.is_file())
        else:
            expanded.append(path)
    return expanded
