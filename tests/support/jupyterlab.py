"""The snapshot of JupyterLab and its dependencies, and the versions that uv and pip chose that day.

`python -m tests.support.jupyterlab` makes both again from the public index, with uv and pip.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.utils import canonicalize_name

from cloudrepo_server.cli import main as cloudrepo_server
from cloudrepo_server.clients import public_index

FOLDER = Path(__file__).parents[1] / "plugin" / "snapshots"
SNAPSHOT = FOLDER / "jupyterlab.toml"
VERSIONS = FOLDER / "jupyterlab-versions.toml"
REQUIREMENT = "jupyterlab"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = {
    "linux-x86_64": "x86_64-unknown-linux-gnu",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}
"""The platforms of the snapshot, with uv's name of each."""

Versions = dict[str, str]
TIMEOUT = 600.0


def recorded_versions(python: str, platform: str) -> Versions:
    """Return the versions that uv chose for a version of Python on a platform."""
    document = tomllib.loads(VERSIONS.read_text("utf-8"))
    versions: Versions = document["versions"][python][platform]
    return versions


def uv_command(requirements: Path, python: str, platform: str) -> list[str | Path]:
    """Return the command by which uv prints the versions that it chooses."""
    return [
        *("uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"),
        # uv takes 3.11 for 3.11.0, which some releases do not support any more.
        *("--python-version", f"{python}.99", "--python-platform", PLATFORMS[platform]),
        requirements,
    ]


def uv_versions(output: str) -> Versions:
    """Return the versions that uv has printed."""
    return dict(line.split("==") for line in output.split())


def pip_command(report: Path) -> list[str | Path]:
    """Return the command by which pip writes a report with the versions that it chooses."""
    return [
        *("pip", "install", "--dry-run", "--ignore-installed", "--quiet"),
        *("--report", report, REQUIREMENT),
    ]


def pip_versions(report: Path) -> Versions:
    """Return the versions in a report of pip."""
    installed = json.loads(report.read_text("utf-8"))["install"]
    found = (entry["metadata"] for entry in installed)
    return {canonicalize_name(each["name"]): each["version"] for each in found}


def main() -> None:
    """Make the snapshot, and let uv and pip choose versions from the public index."""
    time = datetime.now(UTC).isoformat(timespec="seconds")
    pythons = [f"--python={python}" for python in PYTHONS]
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    options = ["--from=pypi", f"--exclude-newer={time}", f"--output={SNAPSHOT}"]
    try:
        cloudrepo_server(["snapshot", *options, *pythons, *platforms, REQUIREMENT])
    except SystemExit as ended:
        if ended.code:
            raise
    lines = [f'exclude_newer = "{time}"\n']
    with TemporaryDirectory() as folder:
        for python in PYTHONS:
            for platform in PLATFORMS:
                versions = _uv_from_public_index(Path(folder), python, platform, time)
                lines += [f'\n[versions."{python}".{platform}]\n']
                lines += [f'{name} = "{version}"\n' for name, version in versions.items()]
        VERSIONS.write_text("".join(lines), "utf-8")
        own = ".".join(map(str, sys.version_info[:2]))
        assert _pip_from_public_index(Path(folder), time) == recorded_versions(own, "linux-x86_64")


def _uv_from_public_index(folder: Path, python: str, platform: str, time: str) -> Versions:
    requirements = folder / "requirements.in"
    requirements.write_text(f"{REQUIREMENT}\n", "utf-8")
    command = [*uv_command(requirements, python, platform), "--exclude-newer", time]
    return uv_versions(_run(command))


def _pip_from_public_index(folder: Path, time: str) -> Versions:
    report = folder / "report.json"
    index = public_index("pypi").simple
    _run([*pip_command(report), "--index-url", index, "--uploaded-prior-to", time])
    return pip_versions(report)


def _run(command: list[str | Path]) -> str:
    # Without the user's configuration, which may name other indexes.
    environ = {name: text for name, text in os.environ.items() if name != "PIP_FIND_LINKS"}
    environ["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(
        command, env=environ, stdout=subprocess.PIPE, text=True, check=True, timeout=TIMEOUT
    )
    return done.stdout


if __name__ == "__main__":
    main()
