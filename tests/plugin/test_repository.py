"""The repository object: publishing, settings, requests, and programs that use the repository."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from pytest_cloudrepo import CommandError, ServerError
from pytest_cloudrepo._api import Api
from tests.support.platforms import WINDOWS

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository, RepositoryFactory, Server
    from tests.support.inner_sessions import WheelFactory

WHEEL = "demo-1.0-py3-none-any.whl"


def page(repository: Repository, project: str) -> dict[str, Any]:
    """Return the project page, as an installer receives it."""
    response = requests.get(
        f"{repository.index_url}/{project}/",
        headers={"Accept": "application/vnd.pypi.simple.v1+json"},
        timeout=10,
    )
    response.raise_for_status()
    data: dict[str, Any] = response.json()
    return data


def test_publish_adds_files_without_upload_requests(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"), wheel("demo", "1.10"), str(wheel("demo", "1.9")))
    assert cloudrepo.files("demo") == [
        WHEEL,
        "demo-1.10-py3-none-any.whl",
        "demo-1.9-py3-none-any.whl",
    ]
    assert cloudrepo.versions("Demo") == ["1.0", "1.9", "1.10"]
    assert cloudrepo.requests == []


def test_overwrite_protection_applies_to_publish(
    cloudrepo_factory: RepositoryFactory, wheel: WheelFactory
) -> None:
    repository = cloudrepo_factory(overwrite_protection=True)
    repository.publish(wheel("demo", "1.0"))
    with pytest.raises(ServerError, match=f"already exists.*{WHEEL}") as caught:
        repository.publish(wheel("demo", "1.0", content="x = 2"))
    assert caught.value.status == 409


@pytest.mark.parametrize("upload_time", [datetime(2020, 2, 3, tzinfo=UTC), "2020-02-03T00:00:00Z"])
def test_publish_can_set_the_upload_time(
    cloudrepo: Repository, wheel: WheelFactory, upload_time: datetime | str
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"), upload_time=upload_time)
    (file,) = page(cloudrepo, "demo")["files"]
    assert file["upload-time"].startswith("2020-02-03T00:00:00")


def test_an_upload_time_without_a_time_zone_is_rejected(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    naive = datetime(2020, 2, 3)  # noqa: DTZ001 (the mistake under test)
    with pytest.raises(ValueError, match="time zone"):
        cloudrepo.publish(wheel("demo", "1.0"), upload_time=naive)


def test_files_can_be_yanked_and_unyanked(cloudrepo: Repository, wheel: WheelFactory) -> None:
    def yanked() -> object:
        (file,) = page(cloudrepo, "demo")["files"]
        return file["yanked"]

    cloudrepo.publish(wheel("demo", "1.0"))
    assert yanked() is False
    cloudrepo.yank(WHEEL)
    assert yanked() is True
    cloudrepo.yank(WHEEL, reason="it breaks")
    assert yanked() == "it breaks"
    cloudrepo.unyank(WHEEL)
    assert yanked() is False


def test_files_can_be_deleted(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    cloudrepo.delete(WHEEL)
    assert cloudrepo.files("demo") == []
    with pytest.raises(ServerError) as caught:
        cloudrepo.delete(WHEEL)
    assert caught.value.status == 404
    assert WHEEL in str(caught.value)


def test_a_project_status_can_be_set(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    cloudrepo.set_status("demo", "archived", "no longer maintained")
    assert page(cloudrepo, "demo")["project-status"] == {
        "status": "archived",
        "reason": "no longer maintained",
    }


def test_overwrite_protection_changes_apply_to_the_next_request(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    cloudrepo.overwrite_protection = True
    assert cloudrepo.overwrite_protection
    with pytest.raises(ServerError):
        cloudrepo.publish(wheel("demo", "1.0", content="x = 2"))
    cloudrepo.overwrite_protection = False
    cloudrepo.publish(wheel("demo", "1.0", content="x = 3"))


def test_listing_the_files_of_a_deleted_repository_is_an_error(
    cloudrepo_server: Server, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory()
    cloudrepo_server.delete_repository(repository)
    with pytest.raises(ServerError, match=repository.name):
        repository.files("demo")


def test_requests_lists_the_received_requests(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    session = requests.Session()
    session.headers["User-Agent"] = "my-client/1.0"
    session.get(f"{cloudrepo.index_url}/demo/", timeout=10)
    session.get(f"{cloudrepo.index_url}/demo/{WHEEL}", timeout=10)
    session.get(f"{cloudrepo.url}/demo/{WHEEL}", timeout=10)
    received = cloudrepo.requests
    assert [(request.method, request.status, request.user) for request in received] == [
        ("GET", 200, cloudrepo.username),
        ("GET", 200, cloudrepo.username),
        ("GET", 401, None),
    ]
    assert {request.user_agent for request in received} == {"my-client/1.0"}
    assert received[1].project == "demo"
    assert received[1].filename == WHEEL
    assert received[1].bytes_sent == wheel("demo", "1.0").stat().st_size
    assert received[1] in received.downloads()
    assert received.downloads("Demo") == received.downloads("demo") == received.downloads()
    assert received.downloads("other") == []
    assert received.uploads() == []
    received.clear()
    assert received == []
    assert cloudrepo.requests == []


def test_upload_runs_twine(cloudrepo: Repository, wheel: WheelFactory) -> None:
    result = cloudrepo.upload(wheel("demo", "1.0"))
    assert result.ok
    assert cloudrepo.files("demo") == [WHEEL]
    (request,) = cloudrepo.requests.uploads()
    assert request.user_agent.startswith("twine/")
    assert request.filename == WHEEL
    assert request.form is not None
    assert "demo" in request.form["name"]


@pytest.mark.cloudrepo(overwrite_protection=True)
def test_a_rejected_upload_shows_twines_output_and_the_rejected_requests(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    changed = wheel("demo", "1.0", content="x = 2")
    result = cloudrepo.upload(changed, check=False)
    assert not result.ok
    assert "already exists" in result.output
    cloudrepo.requests.clear()
    with pytest.raises(CommandError) as caught:
        cloudrepo.upload(changed)
    assert "HTTPError" in str(caught.value)
    assert caught.value.rejected_requests.count(": 409 ") == 1
    assert "already exists" in caught.value.rejected_requests
    assert WHEEL in cloudrepo.explain()


def test_the_error_of_a_program_that_sent_no_request_lists_no_rejected_requests(
    cloudrepo: Repository, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=r"missing\.whl") as caught:
        cloudrepo.upload(tmp_path / "missing.whl")
    assert caught.value.rejected_requests == ""
    assert cloudrepo.explain() == ""


def test_a_repository_can_be_used_as_another_user(
    cloudrepo: Repository, cloudrepo_server: Server, wheel: WheelFactory
) -> None:
    reader = cloudrepo_server.create_user(read_only=True)
    as_reader = cloudrepo.as_user(reader)
    assert requests.get(as_reader.index_url + "/", timeout=10).status_code == 200
    with pytest.raises(CommandError) as caught:
        as_reader.upload(wheel("demo", "1.0"))
    assert ": 403 " in caught.value.rejected_requests
    assert cloudrepo.files("demo") == []
    assert (as_reader.username, as_reader.name) == (reader.email, cloudrepo.name)
    assert cloudrepo.username != reader.email


def test_environ_configures_a_subprocess_of_the_test(
    cloudrepo: Repository, wheel: WheelFactory, tmp_path: Path
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    for number, environ in enumerate((cloudrepo.environ, cloudrepo.environ_for("pip", retries=0))):
        target = tmp_path / str(number)
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "demo", "-d", str(target)]
        subprocess.run(pip, env=environ, check=True, capture_output=True)
        assert [path.name for path in target.iterdir()] == [WHEEL]
    with pytest.raises(ValueError, match="twine"):
        cloudrepo.environ_for("twine", retries=0)


def test_run_configures_a_program_and_returns_its_result(
    cloudrepo: Repository, wheel: WheelFactory, tmp_path: Path
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    download = ("-m", "pip", "download", "--no-deps", "demo")
    assert cloudrepo.run(sys.executable, *download, cwd=tmp_path).ok
    assert (tmp_path / WHEEL).exists()
    script = "import os; print(os.environ['TWINE_PASSWORD'], os.environ['UV_INDEX_URL'])"
    result = cloudrepo.run(sys.executable, "-c", script, environ=cloudrepo.environ_for("twine"))
    assert cloudrepo.password not in result.output
    assert result.stdout.startswith("*** file:")


def test_uv_add_writes_the_index_without_credentials_into_the_project(
    cloudrepo: Repository, tmp_path: Path
) -> None:
    cloudrepo.publish_all({"base": {"1.0": []}})
    uv = (sys.executable, "-m", "uv")
    cloudrepo.run(*uv, "init", "--bare", "--name", "demo", cwd=tmp_path)
    added = cloudrepo.run(*uv, "add", "base", cwd=tmp_path)
    assert "--index-url" not in added.output
    pyproject = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    assert f'url = "{cloudrepo.url}"' in pyproject
    assert cloudrepo.password not in pyproject


def test_the_repr_of_a_request_is_one_line(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.upload(wheel("demo", "1.0"))
    path = f"/repositories/{cloudrepo.name}"
    assert repr(cloudrepo.requests) == f"[<Request POST {path} {WHEEL}: 200 OK>]"


def test_an_error_has_no_escape_sequences_and_no_padding(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    cloudrepo.overwrite_protection = True
    cloudrepo.publish(path := wheel("demo", "1.0"))
    with pytest.raises(CommandError) as caught:
        cloudrepo.run("twine", "upload", path)
    # The output of the program is unchanged. Without a console, twine writes no escape sequences on
    # Windows.
    assert WINDOWS or "\x1b" in caught.value.result.output
    assert "\x1b" not in str(caught.value)
    assert " \n" not in str(caught.value)
    assert "File already exists" in str(caught.value)


def test_run_finds_programs_that_uv_installed(
    cloudrepo: Repository, cloudrepo_package: PackageFactory
) -> None:
    tool = {"tool.py": "def main(): print('running')\n"}
    scripts = {"console_scripts": {"some-tool": "tool:main"}}
    cloudrepo.publish(cloudrepo_package("tool", "1.0", files=tool, entry_points=scripts))
    installed = cloudrepo.run(sys.executable, "-m", "uv", "tool", "install", "tool")
    assert "is not on your PATH" not in installed.output
    assert cloudrepo.run("some-tool").stdout == "running\n"


def test_run_prefers_the_programs_of_the_tests_own_python(
    cloudrepo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / ("twine.exe" if sys.platform == "win32" else "twine")
    other.write_text("not a program", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "twine version" in cloudrepo.run("twine", "--version").stdout


def test_run_reports_rejections_of_the_server(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.overwrite_protection = True
    cloudrepo.publish(wheel("demo", "1.0"))
    command = ("twine", "upload", wheel("demo", "1.0", content="x = 2"))
    with pytest.raises(CommandError) as caught:
        cloudrepo.run(*command)
    assert "409 File already exists" in caught.value.rejected_requests
    assert not cloudrepo.run(*command, check=False).ok


def test_uploads_work_on_a_server_without_a_journal(
    cloudrepo: Repository, wheel: WheelFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Api.call

    def call_without_journal(api: Api, method: str, *path: str, **options: Any) -> Any:  # noqa: ANN401 - as Api.call
        if path[-1] == "requests":
            raise ServerError("This server shares its store, and keeps no journal.", status=409)
        return call(api, method, *path, **options)

    monkeypatch.setattr(Api, "call", call_without_journal)
    cloudrepo.upload(wheel("demo", "1.0"))
    cloudrepo.overwrite_protection = True
    with pytest.raises(CommandError) as caught:
        cloudrepo.upload(wheel("demo", "1.0", content="x = 2"))
    assert caught.value.rejected_requests == ""
    assert "File already exists" in str(caught.value)


def test_tools_can_use_the_written_configuration_files(
    cloudrepo: Repository, tmp_path: Path, wheel: WheelFactory
) -> None:
    pypirc = cloudrepo.pypirc(tmp_path / "mine.cfg")
    assert pypirc == tmp_path / "mine.cfg"
    if sys.platform != "win32":
        assert stat.S_IMODE(pypirc.stat().st_mode) == 0o600
    twine = [sys.executable, "-m", "twine", "upload", "--config-file", str(pypirc)]
    twine += ["-r", "cloudrepo", str(wheel("demo", "1.0"))]
    environ = {
        name: value
        for name, value in cloudrepo.environ_for("pip").items()
        if not name.startswith("TWINE_")
    }
    subprocess.run(twine, env=environ, check=True, capture_output=True)
    assert cloudrepo.files("demo") == [WHEEL]
    assert cloudrepo.write_config("pip", tmp_path) == tmp_path / "pip.conf"
