"""The command `cloudrepo-server snapshot`: record the releases that a resolution may need."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cloudrepo_server.cli import arguments
from cloudrepo_server.cli.arguments import positive_integer
from cloudrepo_server.cli.output import printable
from cloudrepo_server.cli.terminal import coloured, progress

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from cloudrepo_server.cli.snapshots.closure import Closure, Options

EXAMPLES = (
    "snapshot --from pypi jupyterlab -o jupyterlab.toml.gz",
    "snapshot --from pypi --python 3.12 --platform linux-x86_64 'flask[async]' -o flask.toml",
    "snapshot --from https://index.example/simple/ --exclude-newer 2026-01-31 demo -o demo.toml",
)
_VERSIONS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `snapshot`."""
    add = parser.add_argument
    add(
        "--from",
        dest="index",
        type=_index,
        required=True,
        metavar="INDEX",
        help="the index: the URL of its simple API, or pypi or testpypi",
    )
    add(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file to write, which is compressed if its name ends with .gz",
    )
    add(
        "--versions",
        type=positive_integer,
        default=_VERSIONS,
        metavar="N",
        help="how many releases to record for each requirement of a project, the newest first "
        "(default: %(default)s)",
    )
    add(
        "--exclude-newer",
        type=arguments.moment,
        metavar="TIME",
        help="ignore files that were uploaded at this time or later: a date, or a time with a time "
        "zone (default: now)",
    )
    add(
        "--python",
        type=_python,
        action="append",
        metavar="VERSION",
        help="a version of Python for which to record files, such as 3.12; repeat it for several "
        "versions (default: the version that runs this command)",
    )
    add(
        "--platform",
        type=_platform,
        action="append",
        metavar="NAME",
        help="a platform for which to record files, such as linux-x86_64; repeat it for several "
        "platforms (default: all of Linux, macOS and Windows)",
    )
    add("--pre", action="store_true", help="record pre-releases like other releases")
    add(
        "requirements",
        nargs="+",
        type=_requirement,
        metavar="REQUIREMENT",
        help="a requirement with which the search begins, such as 'flask[async]>=3'",
    )


def run(parsed: argparse.Namespace) -> int:
    """Search the index, write the file, and report what was left out.

    Raises:
        CloudRepoServerError: the index did not respond, or does not have a required project.
        OSError: the file cannot be written.
    """
    # Imported here because the parser does not need them.
    from cloudrepo_server.cli.snapshots import document
    from cloudrepo_server.cli.snapshots.closure import Options
    from cloudrepo_server.cli.snapshots.environments import PLATFORMS, environments
    from cloudrepo_server.specs.timestamps import now

    pythons = parsed.python or [".".join(map(str, sys.version_info[:2]))]
    platforms = parsed.platform or list(PLATFORMS)
    options = Options(
        requirements=tuple(parsed.requirements),
        environments=tuple(environments(pythons, platforms)),
        versions=parsed.versions,
        exclude_newer=parsed.exclude_newer or now(),
        requires_upload_times=parsed.exclude_newer is not None,
        prereleases=parsed.pre,
    )
    url = arguments.index_url(parsed.index)
    closure = _search(url, options)
    text = document.render(
        closure,
        options,
        index=_shown_index(parsed.index),
        pythons=pythons,
        platforms=platforms,
    )
    document.write(text, parsed.output)
    _report(closure, parsed.output)
    return 0


def _search(url: str, options: "Options") -> "Closure":
    import asyncio

    from cloudrepo_server.cli.snapshots.client import IndexClient
    from cloudrepo_server.cli.snapshots.closure import Search

    async def search() -> "Closure":
        async with IndexClient(url) as client:
            running = Search(client, options)

            def activity() -> str:
                return f"Reading the index: {running.progress}, {client.requests} requests"

            with progress(activity):
                return await running.run()

    return asyncio.run(search())


def _report(closure: "Closure", path: Path) -> None:
    releases = [each for versions in closure.releases.values() for each in versions.values()]
    files = sum(map(len, releases))
    for line in closure.left_out:
        label = coloured("left out", "yellow", sys.stderr)
        print(f"{label}: {printable(line)}", file=sys.stderr)
    print(
        f"{path}: {len(closure.releases)} projects, {len(releases)} releases, {files} files, "
        f"{path.stat().st_size} bytes"
    )


def _shown_index(index: str) -> str:
    """Return the name or URL of an index, without credentials and query."""
    from yarl import URL

    return str(URL(index).with_user(None).with_query(None)) if "://" in index else index


def _index(text: str) -> str:
    arguments.index_url(text)
    return text


def _requirement(text: str) -> "Requirement":
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0]
        raise argparse.ArgumentTypeError(f"{text!r} is not a requirement: {reason}") from None
    if requirement.url is not None or requirement.marker is not None:
        raise argparse.ArgumentTypeError(
            f"{text!r} has a URL or a marker: use a name, extras and versions only"
        )
    return requirement


def _python(text: str) -> str:
    from cloudrepo_server.cli.snapshots.environments import PYTHON

    if PYTHON.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a version of Python 3, such as 3.12 or 3.12.4"
        )
    return text


def _platform(text: str) -> str:
    from cloudrepo_server.cli.snapshots.environments import PLATFORMS

    if text not in PLATFORMS:
        raise argparse.ArgumentTypeError(
            f"unknown platform {text!r}: use one of {', '.join(PLATFORMS)}"
        )
    return text
