"""`cloudrepo-server run`: runs a command with every tool configured to use a new index."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from cloudrepo_server import clients
from pytest_cloudrepo._programs.environment import Environment
from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.platforms import WINDOWS, needs_posix
from tests.support.user_settings import USER_VARIABLES, write_invalid_configuration
from tests.support.wait import wait_until

RUN = (sys.executable, "-m", "cloudrepo_server", "run")
PYTHON = ("--", sys.executable, "-c")
CONNECTION = clients.Connection("http://127.0.0.1:1/repositories/x", "x", "me@x.com", "pass")
PRINT_ENVIRONMENT = "import json, os; print(json.dumps(dict(os.environ)))"
# This environment has no variables of the user or of another server.
ENVIRON = {name: value for name, value in os.environ.items() if "CLOUDREPO" not in name}


def run(
    *arguments: str, code: str | None = None, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [*RUN, *arguments, *((*PYTHON, code) if code is not None else ())]
    return subprocess.run(
        command,
        env=ENVIRON | (environ or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("status", [0, 7])
def test_exits_with_the_status_of_the_command(status: int) -> None:
    assert run(code=f"raise SystemExit({status})").returncode == status


def test_prints_only_the_output_of_the_command() -> None:
    result = run(code="import sys; print('out'); print('err', file=sys.stderr)")

    assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_the_environment_of_the_command_has_the_url_and_the_credentials() -> None:
    environ = json.loads(run("--repository", "mine", code=PRINT_ENVIRONMENT).stdout)

    assert environ["CLOUDREPO_URL"].endswith("/repositories/mine")
    assert environ["CLOUDREPO_USERNAME"].endswith("@example.com")
    assert environ["TWINE_REPOSITORY_URL"] == environ["CLOUDREPO_URL"]
    assert environ["CLOUDREPO_PASSWORD"] in environ["PIP_INDEX_URL"]
    assert environ["UV_PUBLISH_URL"] == environ["CLOUDREPO_URL"]


def test_the_server_stops_when_the_command_ends() -> None:
    environ = json.loads(run(code=PRINT_ENVIRONMENT).stdout)

    with pytest.raises(requests.ConnectionError):
        requests.get(environ["CLOUDREPO_URL"], timeout=10)


@pytest.mark.parametrize("protected", [False, True])
def test_overwrite_protection_is_off_unless_the_option_enables_it(
    tmp_path: Path, *, protected: bool
) -> None:
    first, second = wheel("demo", "1.0"), wheel("demo", "1.0", module="x = 2\n")
    upload = [sys.executable, "-m", "twine", "upload", "--disable-progress-bar"]
    commands = []
    for number, archive in enumerate((first, second)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / archive.filename).write_bytes(archive.data)
        commands.append([*upload, str(folder / archive.filename)])
    code = f"import subprocess; print([subprocess.call(c) for c in {commands!r}])"

    result = run(*(["--overwrite-protection"] if protected else []), code=code)

    assert result.stdout.splitlines()[-1] == f"[0, {int(protected)}]", result.stdout
    assert ("already exists" in result.stdout) is protected


def test_dependencies_come_from_another_index_and_uploads_from_the_command(
    index: Index, tmp_path: Path
) -> None:
    index.publish(wheel("dependency", "1.0"), wheel("demo", "9.0"))
    demo = wheel("demo", "1.0", more="Requires-Dist: dependency\n")
    (tmp_path / demo.filename).write_bytes(demo.data)
    twine, pip = ([sys.executable, "-m", tool] for tool in ("twine", "pip"))
    commands = [
        [*twine, "upload", "--disable-progress-bar", str(tmp_path / demo.filename)],
        [*pip, "install", "--target", str(tmp_path / "target"), "demo"],
    ]
    code = f"import subprocess; print([subprocess.call(c) for c in {commands!r}])"

    result = run("--dependencies", index.index_url, code=code)

    assert result.stdout.splitlines()[-1] == "[0, 0]", result
    installed = {path.name for path in tmp_path.glob("target/*.dist-info")}
    assert installed == {"demo-1.0.dist-info", "dependency-1.0.dist-info"}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 404),
        (("--setting", "public=true"), 200),
        (("--setting", "public=true", "--setting", "public=false"), 404),
    ],
)
def test_settings_choose_what_the_repository_does(options: tuple[str, ...], status: int) -> None:
    code = (
        "import os, requests; "
        "url = os.environ['CLOUDREPO_URL'].replace('/repositories/', '/public/repositories/'); "
        "print(requests.get(f'{url}/simple/').status_code)"
    )

    result = run(*options, code=code)

    assert result.stdout == f"{status}\n", result


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ("--setting", "publik=true"),
            "there is no setting 'publik': use one of overwrite_protection, public, dialect, ",
        ),
        (
            ("--setting", "public=perhaps"),
            "the value of the setting public is invalid: Expected `bool`, got `str`",
        ),
        (("--setting", "dialect=npm"), "npm"),
        (("--setting", "upstream=[1]"), "the value of the setting upstream is invalid"),
        (("--setting", "public"), "'public' is not a setting: use a name and a value"),
        (
            ("--dependencies", "pypi", "--setting", 'upstream=["other"]'),
            "--dependencies names the upstream of the repository: leave out --setting upstream",
        ),
        (("--dependencies", "me:secret@host"), "not an http or https URL: use the URL of an index"),
    ],
)
def test_invalid_settings_are_reported_without_starting_the_command(
    options: tuple[str, ...], words: str
) -> None:
    result = run(*options, code="print('started')")

    assert (result.returncode != 0, result.stdout) == (True, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "secret" not in result.stderr


def test_a_command_that_cannot_start_is_reported_in_one_line() -> None:
    result = run("--", "no-such-program")

    assert result.returncode == 127
    assert result.stderr.startswith("cloudrepo-server: cannot start no-such-program: ")


@needs_posix("permission to execute")
def test_a_command_that_is_not_executable_is_reported_with_the_status_of_a_shell(
    tmp_path: Path,
) -> None:
    program = tmp_path / "program"
    program.touch(mode=0o644)

    result = run("--", str(program))

    assert result.returncode == 126
    assert result.stderr == f"cloudrepo-server: cannot start {program}: Permission denied\n"


def test_an_invalid_repository_name_is_reported_in_one_line() -> None:
    result = run("--repository", "No Name", code="")

    assert result.returncode == 1
    assert "'No Name' is not a valid repository name" in result.stderr
    assert "Traceback" not in result.stderr


@needs_posix("POSIX signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"])
def test_the_command_decides_what_a_signal_does(name: str, tmp_path: Path) -> None:
    number = signal.Signals[name]
    code = (
        "import signal, sys, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\n"
        "while True: time.sleep(0.1)"
    )
    with subprocess.Popen(
        [*RUN, *PYTHON, code],
        env=ENVIRON | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"

        # A terminal sends Ctrl-C to the whole process group, a supervisor SIGTERM to one process.
        if name in {"SIGINT", "SIGQUIT"}:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)

        assert process.wait(timeout=30) == 5
    assert list(tmp_path.iterdir()) == []


@needs_posix("POSIX signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_during_the_start_leaves_nothing(name: str, tmp_path: Path) -> None:
    with subprocess.Popen(
        [*RUN, "--", sys.executable, "-c", "print('started')"],
        env=ENVIRON | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        wait_until(lambda: list(tmp_path.iterdir()) != [], "the temporary folder of the server")
        process.send_signal(signal.Signals[name])
        output, _ = process.communicate(timeout=30)
        # The command may have ended before the signal arrived.
        assert process.returncode in (128 + signal.Signals[name], 0 if output else None)
    assert list(tmp_path.iterdir()) == []


def test_the_command_gets_no_variable_of_the_user() -> None:
    users = dict.fromkeys(USER_VARIABLES, "value of the user")
    users.pop("PYTHONHOME")  # it would break the server itself
    users.pop("FORCE_COLOR")  # it describes the terminal
    kept = {"SSL_CERT_FILE": "of the machine", "TERM": "xterm", "LANG": "C.UTF-8"}

    environ = json.loads(run(code=PRINT_ENVIRONMENT, environ=users | kept).stdout)

    assert [name for name, value in environ.items() if value == "value of the user"] == []
    assert environ["CLOUDREPO_PASSWORD"] in environ["UV_DEFAULT_INDEX"]
    assert kept.items() <= environ.items()


def test_the_command_has_the_environment_of_the_fixtures(tmp_path: Path) -> None:
    fixtures = Environment(tmp_path).for_all_tools(CONNECTION)
    variables = json.loads(run(code=PRINT_ENVIRONMENT).stdout)

    home = str(Path(variables["HOME"]).parent)
    connection = {"CLOUDREPO_URL", "CLOUDREPO_USERNAME", "CLOUDREPO_PASSWORD"}
    terminal = {"NO_COLOR", "COLUMNS", "PYTHONIOENCODING", "TERM", "LINES", "FORCE_COLOR"}
    expected = {name: value.replace(str(tmp_path), home) for name, value in fixtures.items()}
    of_repository = set(clients.all_variables(CONNECTION))
    # Python itself may add LC_CTYPE to the environment of its subprocesses.
    ignored = connection | terminal | of_repository | {"LC_CTYPE"}
    assert _without(variables, ignored) == _without(expected, ignored)
    assert connection | of_repository <= set(variables)


def _without(variables: dict[str, str], ignored: set[str]) -> dict[str, str]:
    """Return the variables without those that are ignored."""
    # Names of variables on Windows have no case.
    return {
        name.upper() if WINDOWS else name: value
        for name, value in variables.items()
        if name not in ignored
    }


@pytest.mark.parametrize("inherits", [False, True])
def test_no_file_of_the_user_configures_a_tool(tmp_path: Path, *, inherits: bool) -> None:
    """A tool that reads one of the invalid files fails."""
    users = write_invalid_configuration(tmp_path / "home")
    commands = [
        [sys.executable, "-m", "pip", "config", "list"],
        [sys.executable, "-m", "uv", "pip", "list"],
        [sys.executable, "-c", "import netrc; netrc.netrc()"],
    ]
    calls = f"[subprocess.call(c, cwd={str(tmp_path)!r}) for c in {commands!r}]"
    code = f"import subprocess; print({calls})"

    result = run(*(["--inherit-env"] if inherits else []), code=code, environ=users)

    statuses = json.loads(result.stdout.splitlines()[-1])
    if inherits:
        assert 0 not in statuses, result
    else:
        assert statuses[:2] == [0, 0], result
        assert "FileNotFoundError" in result.stderr


@pytest.mark.parametrize("inherits", [False, True])
@pytest.mark.parametrize("name", ["PIP_FIND_LINKS", "UV_FIND_LINKS"])
def test_nothing_is_installed_from_another_index(
    tmp_path: Path, name: str, *, inherits: bool
) -> None:
    archive = wheel("local-only", "1.0")
    (tmp_path / archive.filename).write_bytes(archive.data)
    target = str(tmp_path / "target")
    module = ["pip"] if name == "PIP_FIND_LINKS" else ["uv", "pip"]
    install = ["--", sys.executable, "-m", *module, "install", "--target", target, "local-only"]

    result = run(*(["--inherit-env"] if inherits else []), *install, environ={name: str(tmp_path)})

    assert (result.returncode == 0) is inherits, result.stderr
    assert bool(list(tmp_path.glob("target/local_only*"))) is inherits


def test_the_home_folder_of_the_command_is_deleted(tmp_path: Path) -> None:
    variables = {"TMPDIR": str(tmp_path), "TEMP": str(tmp_path), "TMP": str(tmp_path)}
    code = "import pathlib; (pathlib.Path.home() / 'file').touch(); print(pathlib.Path.home())"

    home = Path(run(code=code, environ=variables).stdout.strip())

    assert home.is_relative_to(tmp_path)
    assert list(tmp_path.iterdir()) == []
