"""Runs `cloudrepo-server rehearse`, and writes the files of releases for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cloudrepo_server.clients import public_index
from tests.support.archives import Archive, core_metadata, tarred
from tests.support.forms import File, fields

REHEARSE = (sys.executable, "-m", "cloudrepo_server", "rehearse")
PYTHON = (sys.executable, "-c")
TWINE = (sys.executable, "-m", "twine", "upload", "--disable-progress-bar")
# A build backend in the sdist itself, which copies the metadata into a wheel.
BACKEND = """
import zipfile

def build_wheel(folder, config_settings=None, metadata_directory=None):
    {hook}
    with zipfile.ZipFile(f"{{folder}}/{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("{stem}.dist-info/METADATA", open("PKG-INFO").read())
        wheel.writestr("{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr("{stem}.dist-info/RECORD", "")
    return "{stem}-py3-none-any.whl"
"""
# Uploads several files in one process, which is faster than twine. It ignores rejections.
UPLOAD = """
import os, requests
auth = ("__token__", os.environ["TWINE_PASSWORD"])
for path, name, form in {forms!r}:
    with open(path, "rb") as file:
        files = {{"content": (name, file, "application/octet-stream")}}
        requests.post({url!r}, data=form, files=files, auth=auth)
"""
# This environment has no variables of the user or of another server.
ENVIRON = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}
# The commands print a tick only if the output can encode it.
ENVIRON["PYTHONIOENCODING"] = "utf-8"


def rehearse(
    *arguments: str | Path, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command with these arguments, and return its output and exit status."""
    return subprocess.run(
        [*REHEARSE, *arguments],
        env=ENVIRON | dict(environ or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
        check=False,
    )


def rehearse_as_json(*arguments: str | Path) -> dict[str, Any]:
    """Run the command, and return its report, with the output of the command as `output`."""
    completed = rehearse("--report", "json", *arguments)
    assert completed.stdout, completed.stderr
    report: dict[str, Any] = json.loads(completed.stdout)
    assert report["exit_status"] == completed.returncode
    return {**report, "output": completed.stderr}


def write(folder: Path, *archives: Archive) -> list[Path]:
    """Write files to a folder, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / archive.filename for archive in archives]
    for path, archive in zip(paths, archives, strict=True):
        path.write_bytes(archive.data)
    return paths


def upload_command(
    folder: Path, archives: Sequence[Archive], **changes: str
) -> tuple[str | Path, ...]:
    """Return a command that uploads files to PyPI, and succeeds even if files are rejected.

    Args:
        folder: a folder to which the files are written.
        archives: the files.
        changes: fields of each form that differ from the metadata in the file.
    """
    forms = [
        (
            str(write(folder / str(number), archive)[0]),
            archive.filename,
            [each for each in fields(archive, **changes) if not isinstance(each[1], File)],
        )
        for number, archive in enumerate(archives)
    ]
    return (*PYTHON, UPLOAD.format(forms=forms, url=public_index("pypi").upload))


def buildable_sdist(
    name: str = "demo", version: str = "1.0", *, requires: str = "", hook: str = "pass"
) -> Archive:
    """Return an sdist from which a wheel can be built.

    Args:
        name: the project.
        version: the version.
        requires: the project that the build requires, if it requires one.
        hook: a statement that the build executes.
    """
    stem = f"{name}-{version}"
    metadata = core_metadata(name, version, metadata_version="2.2")
    required = json.dumps([requires] if requires else [])
    system = f"requires = {required}\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
    files = {
        f"{stem}/PKG-INFO": metadata,
        f"{stem}/pyproject.toml": f"[build-system]\n{system}".encode(),
        f"{stem}/backend.py": BACKEND.format(stem=stem, hook=hook).encode(),
    }
    return Archive(f"{stem}.tar.gz", tarred(files), metadata=metadata)
