"""The plugin's own tools: twine, build, virtualenv and the server.

They run with the Python that runs pytest, but without the user's settings, such as PYTHONPATH and
the user's site. If the plugin itself was imported from one of these, or from a path that a launcher
such as PEX added, the tools get the folders of `sys.path` that have installed packages, and nothing
else.
"""

from __future__ import annotations

import os
import site
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_cloudrepo._programs import command
from pytest_cloudrepo.errors import CloudRepoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOOLS: Final = ("cloudrepo_server", "twine", "build", "virtualenv")
_OWN_PACKAGES: Final = ("pytest_cloudrepo", "cloudrepo_server")
_TIMEOUT: Final = 60.0
_SHOW_PATH: Final = "import sys; print(*sys.path, sep='\\n')"
_SHOW_MISSING: Final = """\
import importlib.util, sys
print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name) is None), sep=", ")
"""


def environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which this Python finds the tools.

    Raises:
        CloudRepoError: this Python cannot find the tools.
    """
    return {**environ, **_variables()}


@cache
def _variables() -> Mapping[str, str]:
    """Return the variables with which this Python finds the tools; usually there are none."""
    locations = [_location(name) for name in (*_OWN_PACKAGES, *_TOOLS)]
    if sys.executable and _contains(site.getsitepackages(), locations):
        return {}
    from importlib.metadata import DistributionFinder, MetadataPathFinder  # slow, rarely needed

    clean = _python("-I", "-X", "utf8", "-c", _SHOW_PATH).splitlines()
    if _contains(clean, locations):  # for example by a .pth file
        return {}
    needed = {_location(name) for name in _OWN_PACKAGES}

    def has_packages(folder: str) -> bool:
        context = DistributionFinder.Context(path=[folder])
        return any(MetadataPathFinder.find_distributions(context))

    folders = [
        folder
        for folder in map(os.path.abspath, filter(None, sys.path))
        if not _contains(clean, [folder]) and (folder in needed or has_packages(folder))
    ]
    variables = {
        "PYTHONPATH": str(Path(__file__).with_name("tool_path")),
        "PYTHONNOUSERSITE": "1",
        "CLOUDREPO_TOOL_PATH": os.pathsep.join([str(sys.implementation.cache_tag), *folders]),
    }
    missing = _python("-P", "-c", _SHOW_MISSING, *_TOOLS, variables=variables).strip()
    if missing:
        raise _not_found(missing)
    return variables


def _python(*options: str, variables: Mapping[str, str] | None = None) -> str:
    """Run this Python, and return its output."""
    if not sys.executable:
        raise _not_found(", ".join(_TOOLS))
    result = command.run(
        [sys.executable, *options],
        environ={**os.environ, **(variables or {})},
        timeout=_TIMEOUT,
        check=False,
    )
    if not result.ok:
        raise _not_found(", ".join(_TOOLS))
    return result.stdout


def _location(package: str) -> str | None:
    """Return the folder from which a package is imported, or None if there is no such folder."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return os.path.dirname(os.path.abspath(next(iter(spec.submodule_search_locations))))  # noqa: PTH100, PTH120 - as in sys.path


def _contains(folders: Iterable[str], locations: Iterable[str | None]) -> bool:
    known = set(map(os.path.realpath, folders))
    return all(location is None or os.path.realpath(location) in known for location in locations)


def _not_found(tools: str) -> CloudRepoError:
    return CloudRepoError(
        f"the Python at {sys.executable or 'an unknown path'} does not find {tools}, although "
        f"pytest_cloudrepo was imported from {_location('pytest_cloudrepo')}; install "
        "pytest-cloudrepo into a virtual environment, and run pytest there"
    )
