"""The environment of subprocesses: without the user's settings, and configured for a repository."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import pytest

from cloudrepo_server import clients
from cloudrepo_server.clients import NO_REPOSITORY
from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo.errors import CloudRepoError
from tests.support.platforms import needs_posix
from tests.support.user_settings import USER_VARIABLES, write_invalid_configuration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_cloudrepo._programs.result import CommandResult
    from pytest_cloudrepo.factories import ProjectFactory, VirtualEnvFactory
    from pytest_cloudrepo.repository import Repository
    from pytest_cloudrepo.venv import VirtualEnv

CONNECTION = clients.Connection(
    "http://127.0.0.1:9/repositories/demo", "demo", "someone@example.com", "p@s: /%#?é"
)


class BlockingProxy(ThreadingHTTPServer):
    """A proxy that rejects every request and records the requested hosts."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RejectingHandler)
        self.requested: list[str] = []

    def add_to(self, environ: dict[str, str]) -> dict[str, str]:
        """Return an environment in which other hosts are reached through this proxy only."""
        url = f"http://127.0.0.1:{self.server_port}"
        names = ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        no_retries = {"PIP_RETRIES": "0", "UV_HTTP_RETRIES": "0"}
        return environ | dict.fromkeys(names, url) | no_retries


class RejectingHandler(BaseHTTPRequestHandler):
    server: BlockingProxy

    def do_CONNECT(self) -> None:
        self.server.requested.append(self.path)
        self.send_error(403)

    def do_GET(self) -> None:
        self.do_CONNECT()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (the name in the base class)
        pass


@pytest.fixture
def blocking_proxy() -> Iterator[BlockingProxy]:
    with BlockingProxy() as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield proxy
        proxy.shutdown()
        thread.join()


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with an invalid configuration file at every path that a tool reads."""
    home = tmp_path / "users-home"
    for name, value in write_invalid_configuration(home).items():
        monkeypatch.setenv(name, value)
    return home


def run(*arguments: str | Path, environ: dict[str, str], cwd: Path | None = None) -> CommandResult:
    return command.run(arguments, environ=environ, cwd=cwd, timeout=120, check=False)


def uv(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "uv", *arguments]


def twine(*arguments: str | Path) -> list[str | Path]:
    return [sys.executable, "-m", "twine", *arguments]


@pytest.mark.parametrize("name", USER_VARIABLES)
def test_a_variable_of_the_user_is_not_passed_to_subprocesses(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "value of the user")
    assert environment.scrubbed().get(name) != "value of the user"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "LANG"])
def test_a_variable_of_the_machine_is_passed_to_subprocesses(
    environment: Environment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "value of the machine")
    assert environment.scrubbed()[name] == "value of the machine"


def test_programs_installed_by_tools_come_first_on_the_path(
    environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(["first", "second"]))
    scrubbed = environment.scrubbed()
    installed, *machine_path = scrubbed["PATH"].split(os.pathsep)
    assert installed == str(Path(scrubbed["HOME"]) / ".local" / "bin")
    assert machine_path == ["first", "second"]


@pytest.mark.usefixtures("home")
def test_the_home_folder_is_empty(environment: Environment, tmp_path: Path) -> None:
    script = "import pathlib; print(pathlib.Path.home())"
    home = Path(run(sys.executable, "-c", script, environ=environment.scrubbed()).stdout.strip())
    assert home.is_relative_to(tmp_path / "environment")
    assert [path for path in home.rglob("*") if path.is_file() and path.stat().st_size] == []


def test_each_environment_has_its_own_home_folder(tmp_path: Path) -> None:
    one, other = Environment(tmp_path / "one"), Environment(tmp_path / "other")
    assert one.scrubbed()["HOME"] != other.scrubbed()["HOME"]


@pytest.mark.usefixtures("home")
# On Windows, tools ask the system for the folder of the user's settings.
@needs_posix("variable that names the folder of the user's settings")
def test_pip_ignores_the_users_configuration(
    environment: Environment, cloudrepo_venv: VirtualEnv
) -> None:
    pip: list[str | Path] = [cloudrepo_venv.python, "-m", "pip", "config", "list"]
    assert not run(*pip, environ=dict(os.environ)).ok
    result = run(*pip, environ=environment.scrubbed())
    assert result.ok
    assert {line.partition(".")[0] for line in result.stdout.splitlines()} == {":env:"}


@pytest.mark.usefixtures("home")
# On Windows, tools ask the system for the folder of the user's settings.
@needs_posix("variable that names the folder of the user's settings")
def test_uv_ignores_the_users_configuration(environment: Environment, tmp_path: Path) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        others = {"XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"} - {variable}
        environ = {name: value for name, value in os.environ.items() if name not in others}
        environ |= {"HOME": str(tmp_path)}
        assert not run(*uv("pip", "list"), environ=environ, cwd=tmp_path).ok
    assert run(*uv("pip", "list"), environ=environment.scrubbed(), cwd=tmp_path).ok


@needs_posix("XDG_CONFIG_DIRS")
def test_uv_ignores_the_system_wide_configuration(
    environment: Environment, home: Path, tmp_path: Path
) -> None:
    # uv reads only the first system-wide file that it finds, and searches /etc last.
    environ = environment.scrubbed()
    environ["XDG_CONFIG_DIRS"] += f"{os.pathsep}{home / 'etc'}"
    assert run(*uv("pip", "list"), environ=environ, cwd=tmp_path).ok


@pytest.mark.usefixtures("home")
def test_twine_ignores_the_users_configuration(
    environment: Environment, cloudrepo_project: ProjectFactory
) -> None:
    upload = twine("upload", *cloudrepo_project("demo", "1.0").build(sdist=False))
    assert "Malformed configuration" in run(*upload, environ=dict(os.environ)).output
    assert (
        f"Missing '{NO_REPOSITORY}' section" in run(*upload, environ=environment.scrubbed()).output
    )


@pytest.mark.usefixtures("home")
def test_git_ignores_the_users_configuration(environment: Environment, tmp_path: Path) -> None:
    try:
        with_user_settings = run("git", "config", "--list", environ=dict(os.environ))
    except CloudRepoError:
        pytest.skip("git is not installed")
    assert "bad config" in with_user_settings.output
    assert run("git", "config", "--list", environ=environment.scrubbed(), cwd=tmp_path).output == ""


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_users_settings_of_curl_do_not_bypass_the_network_guard(
    cloudrepo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".curlrc").write_text('noproxy = "*"\n', encoding="utf-8")
    monkeypatch.setenv("CURL_HOME", str(tmp_path))
    request = ("curl", "--silent", "http://other.example/")
    cloudrepo.run(*request, environ=cloudrepo.environ, check=False)
    assert "other.example may not be reached" in (cloudrepo.requests[-1].reason or "")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_users_startup_files_of_shells_do_not_set_variables_again(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    startup = tmp_path / "startup"
    startup.write_text("export PIP_EXTRA_INDEX_URL=https://index.example\n", encoding="utf-8")
    monkeypatch.setenv("BASH_ENV", str(startup))
    show = ("bash", "-c", "echo ${PIP_EXTRA_INDEX_URL:-none}")
    assert run(*show, environ=dict(os.environ)).stdout == "https://index.example\n"
    assert run(*show, environ=environment.scrubbed()).stdout == "none\n"


INSTALLERS: Final[tuple[Literal["pip", "uv"], ...]] = ("pip", "uv")

# The variables without which a tool would use the public index.
BLOCKING_VARIABLES = {
    "pip": {"PIP_INDEX_URL"},
    "uv": {"UV_INDEX_URL"},
    "twine": {"TWINE_REPOSITORY"},
}


@pytest.mark.parametrize("tool", BLOCKING_VARIABLES)
def test_no_tool_uses_the_public_index_by_default(
    environment: Environment,
    blocking_proxy: BlockingProxy,
    cloudrepo_venv: VirtualEnv,
    cloudrepo_project: ProjectFactory,
    tool: str,
) -> None:
    python = cloudrepo_venv.python
    programs: dict[str, list[str | Path]] = {
        "pip": [python, "-m", "pip", "install", "requests"],
        "uv": uv("pip", "install", "--python", python, "requests"),
        "twine": twine("upload", *cloudrepo_project("demo", "1.0").build(sdist=False)),
    }
    arguments = programs[tool]
    blocked = blocking_proxy.add_to(environment.scrubbed())
    unblocked = {
        name: value for name, value in blocked.items() if name not in BLOCKING_VARIABLES[tool]
    }

    result = run(*arguments, environ=blocked)
    assert not result.ok
    assert blocking_proxy.requested == []
    # The output shows why the tool failed.
    assert NO_REPOSITORY in result.output or "not found in the package registry" in result.output

    run(*arguments, environ=unblocked)
    assert blocking_proxy.requested != []


@pytest.mark.parametrize("option", ["--index-url", "--default-index", "--index"])
def test_an_index_on_the_command_line_of_uv_has_precedence(
    cloudrepo: Repository,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv: VirtualEnv,
    environment: Environment,
    option: str,
) -> None:
    cloudrepo.publish(*cloudrepo_project("demo", "1.0").build(sdist=False))
    install = uv("pip", "install", "--python", cloudrepo_venv.python, "demo")
    result = run(*install, option, cloudrepo.index_url, environ=environment.scrubbed())
    assert result.ok, result.output
    assert cloudrepo_venv.version("demo") == "1.0"


def test_an_index_on_the_command_line_of_pip_has_precedence(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, cloudrepo_venv: VirtualEnv
) -> None:
    cloudrepo.publish(*cloudrepo_project("demo", "1.0").build(sdist=False))
    cloudrepo_venv.run("-m", "pip", "install", "--index-url", cloudrepo.index_url, "demo")
    assert cloudrepo_venv.version("demo") == "1.0"


def test_twine_reads_a_pypirc_in_the_home_folder(
    cloudrepo: Repository, cloudrepo_project: ProjectFactory, environment: Environment
) -> None:
    environ = environment.scrubbed()
    cloudrepo.write_config("twine", Path(environ["HOME"]))
    built = cloudrepo_project("demo", "1.0").build(sdist=False)
    result = run(*twine("upload", "--repository", "cloudrepo", *built), environ=environ)
    assert result.ok, result.output
    assert cloudrepo.versions("demo") == ["1.0"]


@pytest.mark.usefixtures("home")
def test_the_users_settings_do_not_affect_uploads_and_installs(
    monkeypatch: pytest.MonkeyPatch,
    cloudrepo: Repository,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv: VirtualEnv,
    tmp_path: Path,
) -> None:
    other_folder = tmp_path / "other-folder"
    other_folder.mkdir()
    for path in cloudrepo_project("local-only", "1.0").build():
        path.rename(other_folder / path.name)
    for name, value in {
        "PIP_FIND_LINKS": str(other_folder),
        "PIP_EXTRA_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_FIND_LINKS": str(other_folder),
        "TWINE_USERNAME": "someone-else",
        "PYTHONPATH": str(other_folder),
        "http_proxy": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    cloudrepo.upload(*cloudrepo_project("demo", "1.0").build())
    cloudrepo_venv.install("demo", index=cloudrepo)
    assert cloudrepo_venv.version("demo") == "1.0"
    for installer in INSTALLERS:
        failed = cloudrepo_venv.install(
            "local-only", index=cloudrepo, installer=installer, check=False
        )
        assert not failed.ok


@pytest.mark.cloudrepo(
    dialect="cloudrepo"
)  # its pages have no hashes, by which an installer could recognize a changed file
@pytest.mark.parametrize("installer", INSTALLERS)
def test_a_replaced_file_is_not_installed_from_a_cache(
    cloudrepo: Repository,
    cloudrepo_project: ProjectFactory,
    cloudrepo_venv_factory: VirtualEnvFactory,
    installer: Literal["pip", "uv"],
) -> None:
    for value in ("first", "second"):
        project = cloudrepo_project("demo", "1.0", files={"demo.py": f"x = {value!r}\n"})
        cloudrepo.publish(project.build(wheel=False)[0])  # the installer has to build it
        venv = cloudrepo_venv_factory()
        venv.install("demo", index=cloudrepo, installer=installer)
        assert venv.run("-c", "import demo; print(demo.x)").stdout.strip() == value


@pytest.mark.parametrize("tool", clients.TOOLS)
def test_only_the_selected_tool_is_configured(environment: Environment, tool: str) -> None:
    environ = environment.for_tool(tool, CONNECTION)
    changed = {name for name, value in environ.items() if environment.scrubbed().get(name) != value}
    assert changed == set(clients.variables(tool, CONNECTION))


def test_every_tool_can_be_configured_at_once(environment: Environment) -> None:
    everything = environment.for_all_tools(CONNECTION)
    for tool in clients.TOOLS:
        assert clients.variables(tool, CONNECTION).items() <= everything.items()


def test_retries_can_be_set_for_tools_that_support_it(environment: Environment) -> None:
    assert environment.for_tool("pip", CONNECTION, retries=0)["PIP_RETRIES"] == "0"
    with pytest.raises(ValueError, match="flit has no setting for its retries"):
        environment.for_tool("flit", CONNECTION, retries=0)


def test_an_unknown_tool_is_rejected(environment: Environment, tmp_path: Path) -> None:
    for call in (
        lambda: environment.for_tool("easy_install", CONNECTION),
        lambda: environment.write_config("easy_install", CONNECTION, tmp_path),
    ):
        with pytest.raises(ValueError, match="'easy_install'; choose from pip, uv, twine"):
            call()


@pytest.mark.parametrize("tool", [*clients.TOOLS, "netrc"])
def test_only_the_owner_can_read_a_configuration_file(
    environment: Environment, tmp_path: Path, tool: str
) -> None:
    folder = tmp_path / "new" / "folder"
    for _ in range(2):
        path = environment.write_config(tool, CONNECTION, folder)
        text = path.read_text(encoding="utf-8")
        assert clients.config_file(tool, CONNECTION) == clients.ConfigFile(path.name, text)
        assert list(folder.iterdir()) == [path]
        if sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        path.chmod(0o644)


def test_twine_fails_instead_of_prompting_for_a_password(
    environment: Environment, cloudrepo: Repository, cloudrepo_project: ProjectFactory
) -> None:
    built = cloudrepo_project("demo", "1.0").build(sdist=False)
    upload = twine("upload", "--repository-url", cloudrepo.url, *built)
    result = run(*upload, environ=environment.scrubbed())
    assert not result.ok
    assert "Credential not found" in result.output


def test_the_folder_of_an_environment_can_have_any_name(tmp_path: Path) -> None:
    environ = Environment(tmp_path / "é ü # %41").scrubbed()
    script = "import pathlib; print(pathlib.Path.home().is_dir())"
    completed = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True
    )
    assert completed.stdout == "True\n"
    assert "%23" in environ["PIP_INDEX_URL"]
