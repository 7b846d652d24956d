"""Other projects' own tests, unchanged, on repositories of these fixtures.

CLOUDREPO_PEERS names a folder with the sources of twine, hatch and uv, each in a folder of its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_cloudrepo import PackageFactory, RepositoryFactory

PLUGINS = Path(__file__).parent
TIMEOUT = 600.0
REGISTRIES = {
    "artifactory": "artifactory",
    "azure": "azure",
    "aws": "codeartifact",
    "cloudsmith": "cloudsmith",
    "gcp": "google",
    "gemfury": "modern",
    "gitlab": "gitlab",
}
"""The registries that uv's script knows, and the dialect for each."""


def copy(name: str, folder: Path) -> Path:
    """Return a copy of the sources of a project, in which its tests may write."""
    sources = os.environ.get("CLOUDREPO_PEERS")
    if sources is None:
        pytest.skip("CLOUDREPO_PEERS names no folder with the sources of other projects")
    source = Path(sources) / name
    if not source.is_dir():
        pytest.skip(f"CLOUDREPO_PEERS has no folder {name}")
    return Path(shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns(".git")))


def run(*arguments: str | Path, cwd: Path, environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        arguments,
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def run_tests(sources: Path, tests: str, plugin: str, *options: str) -> int:
    """Run tests with a plugin of this folder, and return how many of them passed."""
    environ = dict(os.environ, PYTHONPATH=str(PLUGINS), PYTHONDONTWRITEBYTECODE="1")
    # Their own options block sockets, or leave out these tests.
    command = (sys.executable, "-m", "pytest", "--override-ini=addopts=", "-p", plugin, *options)
    output = run(*command, tests, cwd=sources, environ=environ)
    counts = re.findall(r"(\d+) (\w+)", output.splitlines()[-1].partition(" in ")[0])
    results = {kind: int(number) for number, kind in counts if kind not in ("warnings", "warning")}
    assert results.keys() == {"passed"}, output
    return results["passed"]


def test_the_integration_tests_of_twine_pass(tmp_path: Path) -> None:
    # `--runxfail` also runs the tests that twine expects to fail because a service is unreliable.
    tests = "tests/test_integration.py"
    assert run_tests(copy("twine", tmp_path), tests, "twine_fixtures", "--runxfail") >= 10


def test_the_publish_tests_of_hatch_pass(tmp_path: Path) -> None:
    tests = "tests/cli/publish/test_publish.py"
    assert run_tests(copy("hatch", tmp_path), tests, "hatch_fixtures") >= 22


def test_uv_installs_from_each_registry_of_its_script(
    cloudrepo_factory: RepositoryFactory, cloudrepo_package: PackageFactory, tmp_path: Path
) -> None:
    sources = copy("uv", tmp_path)
    package = cloudrepo_package("astral-registries-test-pkg", "1.0")
    environ = {"UV_PYTHON": sys.executable}
    for name, dialect in REGISTRIES.items():
        repository = cloudrepo_factory(dialect=dialect)
        repository.publish(package)
        environ |= repository.guard
        environ[f"UV_TEST_{name.upper()}_URL"] = f"{repository.url}/simple/"
        environ[f"UV_TEST_{name.upper()}_USERNAME"] = repository.username
        environ[f"UV_TEST_{name.upper()}_TOKEN"] = str(repository.password)
    script = sources / "scripts" / "registries-test.py"
    version = ".".join(map(str, sys.version_info[:2]))
    options = ("--all", "--required-python", version, "--uv", shutil.which("uv") or "uv")
    output = run(
        sys.executable, script, *options, cwd=tmp_path, environ=dict(os.environ, **environ)
    )
    assert f"Results: {len(REGISTRIES)}/{len(REGISTRIES)} tests passed, 0 skipped" in output


def publish_targets(python: str, scripts: Path) -> dict[str, dict[str, str]]:
    """Return the targets of uv's script for uploads, with the URLs of each."""
    code = (
        "import dataclasses, json, test_publish as script; "
        "targets = script.local_targets.items(); "
        "print(json.dumps({name: dataclasses.asdict(each) for name, each in targets}))"
    )
    output = run(python, "-c", code, cwd=scripts, environ=os.environ)
    targets: dict[str, dict[str, str]] = json.loads(output)
    return targets


@pytest.mark.skipif(sys.version_info < (3, 12), reason="uv's script needs Python 3.12")
@pytest.mark.parametrize(
    ("target", "dialect", "variable"),
    [
        ("pypi-token", "pypi", "TOKEN"),
        ("pypi-password-env", "pypi", "PASSWORD"),
        ("gitlab", "gitlab", "GITLAB_PAT"),
        ("cloudsmith", "cloudsmith", "CLOUDSMITH_TOKEN"),
    ],
)
def test_uv_publishes_to_each_index_of_its_script(
    cloudrepo_factory: RepositoryFactory, tmp_path: Path, target: str, dialect: str, variable: str
) -> None:
    scripts = copy("uv", tmp_path) / "scripts" / "publish"
    script = scripts / "test_publish.py"
    # The requirements of the script and the build backend come from the real index.
    real = dict(os.environ, UV_PYTHON=sys.executable)
    run("uv", "sync", "--quiet", "--script", script, cwd=scripts, environ=real)
    python = run("uv", "python", "find", "--script", script, cwd=scripts, environ=real).strip()
    download = (sys.executable, "-m", "pip", "download", "--quiet", "pdm-backend")
    run(*download, "--dest", tmp_path / "backend", cwd=tmp_path, environ=os.environ)
    repository = cloudrepo_factory(dialect=dialect, logins="any", overwrite_protection=True)
    repository.publish(tmp_path / "backend" / "*.whl")
    urls = publish_targets(python, scripts)[target]
    indexes = ("testpypi",) if dialect == "pypi" else (urls["publish_url"], urls["index_url"])
    impersonated = repository.impersonate("pypi", *indexes)
    # uv gets its login from the script only.
    environ = {name: text for name, text in impersonated.items() if "UV_PUBLISH" not in name}
    environ |= {
        "UV_PYTHON": sys.executable,
        "UV_TEST_PUBLISH_PYTHON_VERSION": ".".join(map(str, sys.version_info[:2])),
        f"UV_TEST_PUBLISH_{variable}": "pypi-any",
    }
    uv = shutil.which("uv") or "uv"
    output = run(python, script, target, "--uv", uv, cwd=tmp_path, environ=environ)
    assert "=== 4. Publishing modified" in output
    assert len(repository.files(urls["project_name"])) == 2
