"""Wheels and sdists that every client takes, the oldest too."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from tests.server.support.archives import tarred, zipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


def wheel(
    folder: Path,
    name: str,
    version: str,
    *,
    module: str = "",
    requires: Sequence[str] = (),
    requires_python: str | None = None,
    extras: Mapping[str, Sequence[str]] | None = None,
    scripts: Mapping[str, str] | None = None,
) -> Path:
    """Write a wheel for every Python.

    Args:
        folder: where.
        name: the project's, which its one module bears too.
        version: its version.
        module: what the module holds.
        requires: what it depends on.
        requires_python: the Pythons that it is for.
        extras: what it depends on besides, by the extra's name.
        scripts: the commands that it installs: names, and functions of the module.
    """
    stem = f"{name}-{version}"
    files = {
        f"{name}.py": module.encode(),
        f"{stem}.dist-info/METADATA": _metadata(
            name, version, requires, requires_python, extras or {}
        ),
        f"{stem}.dist-info/WHEEL": (
            b"Wheel-Version: 1.0\n"
            b"Generator: cloudrepo-tests\n"
            b"Root-Is-Purelib: true\n"
            b"Tag: py2-none-any\n"
            b"Tag: py3-none-any\n"
        ),
    }
    if scripts:
        lines = [f"{command} = {name}:{function}\n" for command, function in scripts.items()]
        text = "".join(["[console_scripts]\n", *lines])
        files[f"{stem}.dist-info/entry_points.txt"] = text.encode()
    record = [f"{path},{_digest(data)},{len(data)}\n" for path, data in files.items()]
    record.append(f"{stem}.dist-info/RECORD,,\n")
    files[f"{stem}.dist-info/RECORD"] = "".join(record).encode()
    path = folder / f"{stem}-py2.py3-none-any.whl"
    path.write_bytes(zipped(files))
    return path


def sdist(folder: Path, name: str, version: str, *, module: str = "") -> Path:
    """Write a sdist that setuptools builds."""
    stem = f"{name}-{version}"
    setup = (
        f"from setuptools import setup\nsetup(name={name!r}, version={version!r}, "
        f"py_modules=[{name!r}])\n"
    )
    files = {
        f"{stem}/PKG-INFO": _metadata(name, version, (), None, {}),
        f"{stem}/setup.py": setup.encode(),
        f"{stem}/{name}.py": module.encode(),
    }
    path = folder / f"{stem}.tar.gz"
    path.write_bytes(tarred(files))
    return path


def _metadata(
    name: str,
    version: str,
    requires: Sequence[str],
    requires_python: str | None,
    extras: Mapping[str, Sequence[str]],
) -> bytes:
    # The last version that clients of 2018 read.
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", "Summary: A test's"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    for extra, requirements in extras.items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f'Requires-Dist: {one}; extra == "{extra}"' for one in requirements]
    return ("\n".join(lines) + "\n").encode()


def _digest(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"
