"""The files of `deploy/`, and what the documents show of CI, hold what they should."""

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
# Those that no schema is to be had for are read, at least.
UNDESCRIBED = {"prometheus.yml"}

NAMED = re.compile(r"# (\S+\.ya?ml)\n")
SHOWN = [
    pytest.param(match[1], block.text, id=f"{page.stem}:{match[1]}-{number}")
    for page in sorted((PROJECT / "docs").rglob("*.md"))
    for number, block in enumerate(blocks(page, "yaml"))
    if (match := NAMED.match(block.text))
]


def read(text: str) -> list[Any]:
    import yaml  # noqa: PLC0415 (only these tests need it)

    return list(yaml.safe_load_all(text))


def found(value: object, key: str) -> Iterator[Any]:
    """All that stands under a key, however deep."""
    if isinstance(value, dict):
        for name, below in value.items():
            if name == key:
                yield below
            yield from found(below, key)
    elif isinstance(value, list):
        for each in value:
            yield from found(each, key)


def check_schema(schema: str, path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def understood(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether our command line takes these; asked for help, it reads them all and does nothing."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--nothing"])
    shown = capsys.readouterr().err
    assert ended.value.code == 2
    return shown.endswith("error: unrecognized arguments: --nothing\n")


def test_the_compose_file_is_one() -> None:
    check_schema("vendor.compose-spec", DEPLOY / "compose.yaml")


def test_the_kubernetes_manifests_are_such() -> None:
    manifests = str(DEPLOY / "kubernetes.yaml")
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", manifests]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert (ended.stdout + ended.stderr).count(" passed for ") == 5


@pytest.mark.parametrize(("name", "text"), SHOWN)
def test_what_is_shown_of_ci_is_what_it_takes(tmp_path: Path, name: str, text: str) -> None:
    (document,) = read(text)
    assert document
    if name in UNDESCRIBED:
        return
    (schema,) = (schema for pattern, schema in SCHEMAS.items() if fnmatch.fnmatch(name, pattern))
    path = tmp_path / Path(name).name
    path.write_text(text, "utf-8")
    check_schema(schema, path)


def test_all_that_is_shown_bears_a_file_name() -> None:
    everything = [
        block for page in (PROJECT / "docs").rglob("*.md") for block in blocks(page, "yaml")
    ]
    assert len(everything) == len(SHOWN) > 0


def test_every_command_line_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    compose, kubernetes = (
        read((DEPLOY / name).read_text("utf-8")) for name in ("compose.yaml", "kubernetes.yaml")
    )
    server = [each for each in found(compose, "command") if "serve" in each]
    pods = list(found(kubernetes, "args"))
    (image,) = re.findall(r"^CMD (\[\"serve\".*\])$", CONTAINERFILE, re.MULTILINE)
    assert len(server) >= 2
    assert len(pods) == 2
    for arguments in (*server, *pods, json.loads(image)):
        assert understood(arguments, capsys), arguments


def test_the_probes_ask_for_what_is_answered() -> None:
    from cloudrepo_server.web import app  # noqa: PLC0415 (its source is read)

    source = Path(app.__file__).read_text("utf-8")
    text = (DEPLOY / "kubernetes.yaml").read_text("utf-8")
    asked = {each["path"] for each in found(read(text), "httpGet")}
    assert asked == {"/readyz", "/healthz"}
    assert all(f'"{path}"' in source for path in asked)


def test_what_ends_a_pod_waits_for_what_ends_the_server() -> None:
    manifests = read((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    (patience,) = found(manifests, "terminationGracePeriodSeconds")
    (arguments,) = (each for each in found(manifests, "args") if "serve" in each)
    told = dict(each.removeprefix("--").split("=") for each in arguments if "=" in each)
    assert patience > float(told["drain"]) + float(told["grace"])


def test_what_ends_a_container_waits_for_what_ends_the_server() -> None:
    (compose,) = read((DEPLOY / "compose.yaml").read_text("utf-8"))
    one, balancer = (compose["services"][name] for name in ("one", "balancer"))
    (grace,) = (each for each in one["command"] if each.startswith("--grace="))
    # The load balancer is ended first, and uploads pass through it.
    for service in (one, balancer):
        patience = float(service["stop_grace_period"].removesuffix("s"))
        assert patience > float(grace.removeprefix("--grace="))


def test_the_same_is_told_to_servers_everywhere() -> None:
    compose, *_ = read((DEPLOY / "compose.yaml").read_text("utf-8"))
    secret, *_ = read((DEPLOY / "kubernetes.yaml").read_text("utf-8"))
    # What only the store of the compose file needs.
    own = {"AWS_ENDPOINT", "AWS_ALLOW_HTTP"}
    assert set(compose["services"]["one"]["environment"]) == set(secret["stringData"]) | own
    for image in found(read((DEPLOY / "kubernetes.yaml").read_text("utf-8")), "image"):
        assert image.startswith("registry.example.com/cloudrepo-server:")


def test_the_image_is_built_from_what_is_let_in(tmp_path: Path) -> None:
    let_in = re.findall(r"^!(\S+)$", (PROJECT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    source = tmp_path / "source"
    source.mkdir()
    for name in let_in:
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
    assert "cloudrepo_server/cli.py" in names
    assert "cloudrepo_server/web/portal/templates/sign_in.html" in names
    # What the image is told to install, and to run.
    assert '"/source[metrics]"' in CONTAINERFILE
    assert 'ENTRYPOINT ["/venv/bin/cloudrepo-server"]' in CONTAINERFILE
