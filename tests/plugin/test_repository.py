"""What a test does with its repository, without and with programs."""

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

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_cloudrepo import PackageFactory, Repository, RepositoryFactory, Server
    from tests.support.inner_sessions import WheelFactory

WHEEL = "demo-1.0-py3-none-any.whl"


def page(repository: Repository, project: str) -> dict[str, Any]:
    """The project's page as an installer gets it."""
    answer = requests.get(
        f"{repository.index_url}/{project}/",
        headers={"Accept": "application/vnd.pypi.simple.v1+json"},
        timeout=10,
    )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def test_publish_puts_files_in_quickly(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.publish(wheel("demo", "1.0"), wheel("demo", "1.10"), str(wheel("demo", "1.9")))
    assert cloudrepo.files("demo") == [
        WHEEL,
        "demo-1.10-py3-none-any.whl",
        "demo-1.9-py3-none-any.whl",
    ]
    assert cloudrepo.versions("Demo") == ["1.0", "1.9", "1.10"]
    assert cloudrepo.requests == []


def test_publish_is_refused_where_an_upload_would_be(
    cloudrepo_factory: RepositoryFactory, wheel: WheelFactory
) -> None:
    repository = cloudrepo_factory(overwrite_protection=True)
    repository.publish(wheel("demo", "1.0"))
    with pytest.raises(ServerError, match=f"already exists.*{WHEEL}") as refusal:
        repository.publish(wheel("demo", "1.0", content="x = 2"))
    assert refusal.value.status == 409


@pytest.mark.parametrize("moment", [datetime(2020, 2, 3, tzinfo=UTC), "2020-02-03T00:00:00Z"])
def test_publish_says_when_a_file_came(
    cloudrepo: Repository, wheel: WheelFactory, moment: datetime | str
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"), upload_time=moment)
    (file,) = page(cloudrepo, "demo")["files"]
    assert file["upload-time"].startswith("2020-02-03T00:00:00")


def test_a_time_without_a_zone_is_refused(cloudrepo: Repository, wheel: WheelFactory) -> None:
    naive = datetime(2020, 2, 3)  # noqa: DTZ001 - the mistake that is tested
    with pytest.raises(ValueError, match="time zone"):
        cloudrepo.publish(wheel("demo", "1.0"), upload_time=naive)


def test_yank_and_unyank(cloudrepo: Repository, wheel: WheelFactory) -> None:
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


def test_delete(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    cloudrepo.delete(WHEEL)
    assert cloudrepo.files("demo") == []
    with pytest.raises(ServerError) as refusal:
        cloudrepo.delete(WHEEL)
    assert refusal.value.status == 404
    assert WHEEL in str(refusal.value)


def test_set_status(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    cloudrepo.set_status("demo", "archived", "nobody is left")
    assert page(cloudrepo, "demo")["project-status"] == {
        "status": "archived",
        "reason": "nobody is left",
    }


def test_overwrite_protection_holds_from_the_next_request(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    cloudrepo.overwrite_protection = True
    assert cloudrepo.overwrite_protection
    with pytest.raises(ServerError):
        cloudrepo.publish(wheel("demo", "1.0", content="x = 2"))
    cloudrepo.overwrite_protection = False
    cloudrepo.publish(wheel("demo", "1.0", content="x = 3"))


def test_files_of_a_repository_that_is_gone_are_an_error(
    cloudrepo_server: Server, cloudrepo_factory: RepositoryFactory
) -> None:
    repository = cloudrepo_factory()
    cloudrepo_server.delete_repository(repository)
    with pytest.raises(ServerError, match=repository.name):
        repository.files("demo")


def test_requests_are_what_the_repository_was_asked(
    cloudrepo: Repository, wheel: WheelFactory
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    session = requests.Session()
    session.headers["User-Agent"] = "me/1.0"
    session.get(f"{cloudrepo.index_url}/demo/", timeout=10)
    session.get(f"{cloudrepo.index_url}/demo/{WHEEL}", timeout=10)
    session.get(f"{cloudrepo.url}/demo/{WHEEL}", timeout=10)
    seen = cloudrepo.requests
    assert [(request.method, request.status, request.user) for request in seen] == [
        ("GET", 200, cloudrepo.username),
        ("GET", 200, cloudrepo.username),
        ("GET", 401, None),
    ]
    assert {request.user_agent for request in seen} == {"me/1.0"}
    assert seen[1].project == "demo"
    assert seen[1].filename == WHEEL
    assert seen[1].bytes_sent == wheel("demo", "1.0").stat().st_size
    assert seen[1] in seen.downloads()
    assert seen.downloads("Demo") == seen.downloads("demo") == seen.downloads()
    assert seen.downloads("other") == []
    assert seen.uploads() == []
    seen.clear()
    assert seen == []
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
    with pytest.raises(CommandError) as refusal:
        cloudrepo.upload(changed)
    assert "HTTPError" in str(refusal.value)
    assert refusal.value.rejected_requests.count("409") == 1
    assert "already exists" in refusal.value.rejected_requests
    assert WHEEL in cloudrepo.explain()


def test_an_upload_that_never_reached_the_server_has_nothing_from_it(
    cloudrepo: Repository, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=r"missing\.whl") as refusal:
        cloudrepo.upload(tmp_path / "missing.whl")
    assert refusal.value.rejected_requests == ""
    assert cloudrepo.explain() == ""


def test_another_users_login(
    cloudrepo: Repository, cloudrepo_server: Server, wheel: WheelFactory
) -> None:
    reader = cloudrepo_server.create_user(read_only=True)
    as_reader = cloudrepo.as_user(reader)
    assert requests.get(as_reader.index_url + "/", timeout=10).status_code == 200
    with pytest.raises(CommandError) as refusal:
        as_reader.upload(wheel("demo", "1.0"))
    assert "403" in refusal.value.rejected_requests
    assert cloudrepo.files("demo") == []
    assert (as_reader.username, as_reader.name) == (reader.email, cloudrepo.name)
    assert cloudrepo.username != reader.email


def test_a_program_of_the_tests_own(
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


def test_run_points_a_program_here_and_tells_how_it_ended(
    cloudrepo: Repository, wheel: WheelFactory, tmp_path: Path
) -> None:
    cloudrepo.publish(wheel("demo", "1.0"))
    download = ("-m", "pip", "download", "--no-deps", "demo")
    assert cloudrepo.run(sys.executable, *download, cwd=tmp_path).ok
    assert (tmp_path / WHEEL).exists()
    script = "import os; print(os.environ['TWINE_PASSWORD'], os.environ['UV_INDEX_URL'])"
    told = cloudrepo.run(sys.executable, "-c", script, environ=cloudrepo.environ_for("twine"))
    assert cloudrepo.password not in told.output
    assert told.stdout.startswith("*** file:")


def test_uv_writes_the_index_that_it_was_told_into_a_project(
    cloudrepo: Repository, tmp_path: Path
) -> None:
    cloudrepo.publish_all({"base": {"1.0": []}})
    uv = (sys.executable, "-m", "uv")
    cloudrepo.run(*uv, "init", "--bare", "--name", "demo", cwd=tmp_path)
    added = cloudrepo.run(*uv, "add", "base", cwd=tmp_path)
    assert "--index-url" not in added.output
    written = (tmp_path / "pyproject.toml").read_text(encoding="utf-8")
    assert f'url = "{cloudrepo.url}"' in written
    assert cloudrepo.password not in written


def test_a_request_is_shown_in_a_line(cloudrepo: Repository, wheel: WheelFactory) -> None:
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
    assert "\x1b" in caught.value.result.output  # as the program printed it
    assert "\x1b" not in str(caught.value)
    assert " \n" not in str(caught.value)
    assert "File already exists" in str(caught.value)


def test_run_finds_what_uv_has_installed(
    cloudrepo: Repository, cloudrepo_package: PackageFactory
) -> None:
    tool = {"tool.py": "def main(): print('it runs')\n"}
    scripts = {"console_scripts": {"some-tool": "tool:main"}}
    cloudrepo.publish(cloudrepo_package("tool", "1.0", files=tool, entry_points=scripts))
    installed = cloudrepo.run(sys.executable, "-m", "uv", "tool", "install", "tool")
    assert "is not on your PATH" not in installed.output
    assert cloudrepo.run("some-tool").stdout == "it runs\n"


def test_run_finds_what_is_installed_beside_the_tests_first(
    cloudrepo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / ("twine.exe" if sys.platform == "win32" else "twine")
    other.write_text("this cannot be run", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "twine version" in cloudrepo.run("twine", "--version").stdout


def test_run_tells_what_the_server_refused(cloudrepo: Repository, wheel: WheelFactory) -> None:
    cloudrepo.overwrite_protection = True
    cloudrepo.publish(wheel("demo", "1.0"))
    command = ("twine", "upload", wheel("demo", "1.0", content="x = 2"))
    with pytest.raises(CommandError) as refusal:
        cloudrepo.run(*command)
    assert "409 File already exists" in refusal.value.rejected_requests
    assert not cloudrepo.run(*command, check=False).ok


def test_a_server_without_a_journal_takes_uploads_too(
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
    with pytest.raises(CommandError) as refusal:
        cloudrepo.upload(wheel("demo", "1.0", content="x = 2"))
    assert refusal.value.rejected_requests == ""
    assert "File already exists" in str(refusal.value)


def test_configuration_files(cloudrepo: Repository, tmp_path: Path, wheel: WheelFactory) -> None:
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
