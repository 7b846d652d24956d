"""The files of `deploy/` and the YAML examples of the documentation are valid and consistent."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudrepo_server.cli import main
from tests.support.deploy import DEPLOY
from tests.support.markdown import blocks

PROJECT = DEPLOY.parent
CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")
SCHEMAS = {
    ".github/workflows/*.yml": "vendor.github-workflows",
    ".gitlab-ci.yml": "vendor.gitlab-ci",
}
# No schema is available for these; they must at least be valid YAML.
WITHOUT_SCHEMA = {"prometheus.yml"}

FILE_NAME = re.compile(r"# (\S+\.ya?ml)\n")
EXAMPLES = [
    pytest.param(match[1], block.text, id=f"{page.stem}:{match[1]}-{number}")
    for page in sorted((PROJECT / "docs").rglob("*.md"))
    for number, block in enumerate(blocks(page, "yaml"))
    if (match := FILE_NAME.match(block.text))
]


def load_yaml(text: str) -> list[Any]:
    import yaml  # noqa: PLC0415 (only these tests need it)

    return list(yaml.safe_load_all(text))


def values_of(value: object, key: str) -> Iterator[Any]:
    """Yield all values under a key, at any depth."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name == key:
                yield below
            yield from values_of(below, key)
    elif isinstance(value, list):
        for each in value:
            yield from values_of(each, key)


def check_schema(schema: str, path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert completed.returncode == 0, completed.stdout + completed.stderr


def is_valid_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Return whether the command line accepts these arguments.

    An unknown option after them keeps the command from running: it must be the only error.
    """
    with pytest.raises(SystemExit) as exited:
        main([*arguments, "--unknown"])
    error = capsys.readouterr().err
    assert exited.value.code == 2
    return error.endswith("error: unrecognized arguments: --unknown\n")


def test_the_compose_file_matches_its_schema() -> None:
    check_schema("vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_kubernetes_manifests_match_their_schemas() -> None:
    manifests = str(DEPLOY / "kubernetes.yaml")
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", manifests]
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert (completed.stdout + completed.stderr).count(" passed for ") == 5


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_an_example_of_the_documentation_matches_its_schema(
    tmp_path: Path, name: str, text: str
) -> None:
    (document,) = load_yaml(text)
    assert document
    if name in WITHOUT_SCHEMA:
        return
    (schema,) = (schema for pattern, schema in SCHEMAS.items() if fnmatch.fnmatch(name, pattern))
    path = tmp_path / Path(name).name
    path.write_text(text, "utf-8")
    check_schema(schema, path)


def test_every_example_of_the_documentation_has_a_file_name() -> None:
    all_blocks = [
        block for page in (PROJECT / "docs").rglob("*.md") for block in blocks(page, "yaml")
    ]
    assert len(all_blocks) == len(EXAMPLES) > 0


def test_every_command_of_the_files_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    compose, kubernetes = (
        load_yaml((DEPLOY / name).read_text("utf-8"))
        for name in ("compose.yaml", "kubernetes.yaml")
    )
    server = [each for each in values_of(compose, "command") if "serve" in each]
    pods = list(values_of(kubernetes, "args"))
    (image,) = re.findall(r"^CMD (\[\"serve\".*\])$", CONTAINERFILE, re.MULTILINE)
    assert len(server) >= 2
    assert len(pods) == 2
    for arguments in (*server, *pods, json.loads(image)):
        assert is_valid_command(arguments, capsys), arguments


def test_the_probes_request_existing_urls() -> None:
    from cloudrepo_server.web import app  # noqa: PLC0415 (only its path is needed)

    source = Path(app.__file__).read_text("utf-8")
    text = (DEPLOY / "kubernetes.yaml").read_text("utf-8")
    probed = {each["path"] for each in values_of(load_yaml(text), "httpGet")}
    assert probed == {"/readyz", "/healthz"}
    assert all(f'"{path}"' in source for path in probed)


def test_the_grace_period_of_a_pod_is_longer_than_the_servers_shutdown() -> None:
    manifests = load_yaml((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    (grace_period,) = values_of(manifests, "terminationGracePeriodSeconds")
    (arguments,) = (each for each in values_of(manifests, "args") if "serve" in each)
    options = dict(each.removeprefix("--").split("=") for each in arguments if "=" in each)
    assert grace_period > float(options["drain"]) + float(options["grace"])


def test_the_grace_period_of_a_container_is_longer_than_the_servers_shutdown() -> None:
    (compose,) = load_yaml((DEPLOY / "compose.yaml").read_text("utf-8"))
    one, balancer = (compose["services"][name] for name in ("one", "balancer"))
    (grace,) = (each for each in one["command"] if each.startswith("--grace="))
    # Uploads pass through the load balancer, which is stopped first.
    for service in (one, balancer):
        grace_period = float(service["stop_grace_period"].removesuffix("s"))
        assert grace_period > float(grace.removeprefix("--grace="))


def test_compose_and_kubernetes_set_the_same_variables() -> None:
    compose, *_ = load_yaml((DEPLOY / "compose.yaml").read_text("utf-8"))
    secret, *_ = load_yaml((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    # Only the store of the compose file needs these.
    compose_only = {"AWS_ENDPOINT", "AWS_ALLOW_HTTP"}
    assert (
        set(compose["services"]["one"]["environment"]) == set(secret["stringData"]) | compose_only
    )
    for image in values_of(load_yaml((DEPLOY / "kubernetes.yaml").read_text("utf-8")), "image"):
        assert image.startswith("registry.example.com/cloudrepo-server:")


def test_the_wheel_builds_from_the_files_that_dockerignore_lets_through(tmp_path: Path) -> None:
    included = re.findall(r"^!(\S+)$", (PROJECT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    source = tmp_path / "source"
    source.mkdir()
    for name in included:
        path = PROJECT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(tmp_path),
    ]
    subprocess.run([*command, str(source)], check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "cloudrepo_server/cli/__init__.py" in names
    assert "cloudrepo_server/web/portal/templates/sign_in.html" in names
    # The container file installs this wheel with its extras, and runs its command.
    assert '"/source[metrics,uvloop]"' in CONTAINERFILE
    assert 'ENTRYPOINT ["/venv/bin/cloudrepo-server"]' in CONTAINERFILE
