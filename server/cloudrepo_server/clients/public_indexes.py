"""The URLs of PyPI and of its test instance, read from the installed tools.

The URLs are constants in the source code of twine and pip. The source is read and not imported:
importing either tool takes long, and changes settings of the importing process.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cloudrepo_server.errors import CloudRepoServerError

# For each name: the constants in twine's `utils.py` and in pip's `models/index.py`.
_CONSTANTS: Final = {
    "pypi": ("DEFAULT_REPOSITORY", "PyPI"),
    "testpypi": ("TEST_REPOSITORY", "TestPyPI"),
}
PUBLIC_INDEXES: Final = tuple(_CONSTANTS)
"""The names of the public indexes, which twine's `.pypirc` has too."""

DEFAULT_INDEX: Final = "pypi"
"""The public index that every tool uses if it is not configured."""

_PIP_MODULE: Final = "_internal/models/index.py"


class PublicIndexError(CloudRepoServerError):
    """The URLs of a public index cannot be read from the installed tools."""


@dataclass(frozen=True, slots=True)
class PublicIndex:
    """The URLs of a public index, which has several hosts."""

    upload: str
    """The URL for uploads."""
    web: str
    """The URL below which are the simple API, the JSON API and the integrity API."""
    files: str
    """The URL of the host with the files."""

    @property
    def simple(self) -> str:
        """The URL of the simple API, for installers."""
        return f"{self.web}/simple/"


@cache
def public_index(name: str) -> PublicIndex:
    """Return the URLs of a public index.

    Args:
        name: one of `PUBLIC_INDEXES`.

    Raises:
        ValueError: the name is unknown.
        PublicIndexError: twine or pip is not installed, or does not contain the URLs.
    """
    if name not in _CONSTANTS:
        names = ", ".join(PUBLIC_INDEXES)
        raise ValueError(f"unknown public index {name!r}; use one of: {names}")
    in_twine, in_pip = _CONSTANTS[name]
    upload, *_ = _strings(_twine_source(), in_twine)
    web, file_host = _strings(_pip_source(), in_pip)
    return PublicIndex(upload, web.rstrip("/"), f"https://{file_host}")


def _strings(source: str, name: str) -> list[str]:
    """Return the strings in the value that a module assigns to a name."""
    import ast  # only for impersonation by name

    for statement in ast.parse(source).body:
        if isinstance(statement, ast.Assign) and [*map(ast.unparse, statement.targets)] == [name]:
            return [
                node.value
                for node in ast.walk(statement.value)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
    raise PublicIndexError(
        f"cannot find the URLs of the public index: the installed twine or pip has no constant "
        f"{name}. Install another release, or use the URLs instead of the name"
    )


def _twine_source() -> str:
    for folder in _folders("twine"):
        return (folder / "utils.py").read_text("utf-8")
    raise PublicIndexError("the URLs of public indexes are taken from twine: install twine")


def _pip_source() -> str:
    for folder in _folders("pip"):
        return (folder / _PIP_MODULE).read_text("utf-8")
    # An environment without pip: virtualenv has it in a wheel.
    import zipfile

    for folder in _folders("virtualenv"):
        for wheel in sorted(folder.glob("seed/wheels/embed/pip-*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                return archive.read(f"pip/{_PIP_MODULE}").decode()
    raise PublicIndexError("the URLs of public indexes are taken from pip: install pip")


def _folders(package: str) -> Iterator[Path]:
    specification = find_spec(package)
    locations = None if specification is None else specification.submodule_search_locations
    return map(Path, locations or ())
