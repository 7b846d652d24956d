"""A preloaded tool, which is a fork, behaves as the same tool in a new process does."""

from __future__ import annotations

import json
import os
import re
import signal
import site
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_cloudrepo._programs import command
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.preloaded_tools import (
    PRELOADED,
    SUPPORTED,
    PreloadedTools,
    module_command,
    varies,
)
from pytest_cloudrepo._programs.result import CommandResult, CommandTimeout
from tests.support.wait import growing_timeouts, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.support.inner_sessions import Suite

pytestmark = pytest.mark.skipif(not SUPPORTED, reason="tools are preloaded on Linux only")

# A command that an installed project adds to twine.
PROBE = r"""
import atexit, json, locale, os, resource, signal, site, stat, subprocess, sys, sysconfig, threading
import time, warnings
from pathlib import Path


def describe():
    status = Path("/proc/self/status").read_text().splitlines()
    lines = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "Seccomp", "Threads")
    main = sys.modules["__main__"]
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return {
        "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": str(sys.flags),
        "warnoptions": sys.warnoptions, "prefix": sys.prefix, "executable": sys.executable,
        "environ": dict(os.environ), "home": os.path.expanduser("~"), "folder": os.getcwd(),
        "status": [line for line in status if line.partition(":")[0] in lines],
        "limits": Path("/proc/self/limits").read_text(), "nice": os.getpriority(0, 0),
        "descriptors": sorted(os.listdir("/proc/self/fd")),
        "kinds": [stat.S_IFMT(os.fstat(number).st_mode) for number in range(3)],
        "streams": [
            (each.name, each.mode, each.encoding, each.errors, each.line_buffering,
             each.write_through, each.newlines, each.isatty())
            for each in streams
        ],
        "leader": [os.getsid(0) == os.getpid(), os.getpgid(0) == os.getpid()],
        "main": [main.__name__, main.__file__, main.__spec__.name, main.__spec__.origin,
                 main.__package__, sorted(vars(main))],
        "locale": locale.setlocale(locale.LC_ALL), "time": [time.tzname, time.timezone],
        "site": [site.ENABLE_USER_SITE, site.USER_BASE, site.USER_SITE],
        "paths": sysconfig.get_paths("posix_user"), "filters": list(map(str, warnings.filters)),
        "hooks": [sys.excepthook is sys.__excepthook__, threading.excepthook.__name__],
        "threads": threading.active_count(), "handler": str(signal.getsignal(signal.SIGINT)),
        "child": subprocess.run(
            [sys.executable, "-c", "import os; print(os.getcwd(), sorted(os.environ.items()))"],
            capture_output=True, text=True,
        ).stdout,
    }


def main(arguments):
    what, *rest = arguments
    if what == "show":
        print(json.dumps(describe()))
    elif what == "raise":
        raise LookupError("reason")
    elif what == "exit":
        sys.exit(eval(rest[0]))
    elif what == "signal":
        os.kill(os.getpid(), int(rest[0]))
    elif what == "interrupt":
        raise KeyboardInterrupt
    elif what == "cause":
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise LookupError("with a cause") from error
    elif what == "end":
        atexit.register(print, "at exit")
        threading.Thread(target=lambda: (time.sleep(0.05), print("thread"))).start()
        print("end", end="")
    elif what == "warn":
        warnings.warn("careful")
        print("é \udcff".encode("utf-8", "surrogateescape"))
    elif what == "unencodable":
        print("\udcff")
    elif what == "quick":
        print("lost")
        os._exit(7)
    elif what == "recursion":
        main(arguments)
    elif what == "sleep":
        Path(rest[0]).write_text(str(os.getpid()))
        child = subprocess.Popen(["sleep", "300"])
        child.wait()
"""


@pytest.fixture(scope="module", autouse=True)
def preload_tools() -> Iterator[None]:
    """Preloads tools for this module, even if the ini key `cloudrepo_preload_tools` is false."""
    PRELOADED.stop()  # It has the environment of earlier tests.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PRELOADED, "enabled", True)
        yield
    PRELOADED.stop()


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an installed project that adds the command `probe` to twine."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "cloudrepo_probe.py").write_text(PROBE, "utf-8")
    info = folder / "cloudrepo_probe-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: cloudrepo-probe\nVersion: 1.0\n")
    entry_points = "[twine.registered_commands]\nprobe = cloudrepo_probe:main\n"
    (info / "entry_points.txt").write_text(entry_points)
    return folder


@pytest.fixture
def environ(packages: Path, tmp_path: Path) -> dict[str, str]:
    # twine's help shows a set, whose order differs between processes without a fixed seed.
    fixed = {"PYTHONPATH": str(packages), "PYTHONHASHSEED": "0"}
    return Environment(tmp_path).scrubbed() | fixed


@pytest.fixture
def forks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ids of the forks that a test has used so far."""
    pids: list[int] = []
    start = PreloadedTools.start

    def start_and_record(self: PreloadedTools, *arguments: object, **options: object) -> object:
        fork = start(self, *arguments, **options)  # type: ignore[arg-type]
        if fork is not None:
            pids.append(fork.pid)
        return fork

    monkeypatch.setattr(PreloadedTools, "start", start_and_record)
    return pids


def both_ways(
    *arguments: str,
    environ: Mapping[str, str],
    forks: list[int],
    monkeypatch: pytest.MonkeyPatch,
    cwd: Path | None = None,
) -> tuple[CommandResult, CommandResult]:
    """Run a tool as a fork and in a new process, and return both results."""
    words = module_command(*arguments)
    fork = command.run(words, environ=environ, cwd=cwd, timeout=60, check=False)
    assert len(forks) == 1
    with monkeypatch.context() as patch:
        patch.setattr(PRELOADED, "enabled", False)
        program = command.run(words, environ=environ, cwd=cwd, timeout=60, check=False)
    assert len(forks) == 1
    return fork, program


@pytest.mark.parametrize("run", range(2))
def test_the_state_of_the_process_is_the_same(
    run: int,
    environ: dict[str, str],
    forks: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    added = {
        "TWINE_USERNAME": f"user-{run}",
        "https_proxy": "http://é:1",
        "SSL_CERT_FILE": "\udcff",
    }
    fork, program = both_ways(
        *("twine", "probe", "show", f"{run}", "", "a b", "\udcff", "é"),
        environ=environ | added,
        forks=forks,
        monkeypatch=monkeypatch,
        cwd=tmp_path,
    )
    assert fork.ok, fork
    shown, expected = json.loads(fork.stdout), json.loads(program.stdout)
    assert shown["environ"]["TWINE_USERNAME"] == f"user-{run}"
    assert (shown["home"], shown["folder"]) == (environ["HOME"], str(tmp_path))
    for name in expected:
        assert shown[name] == expected[name], name
    assert fork == program


@pytest.mark.parametrize(
    "arguments",
    [
        ("raise",),
        ("cause",),
        ("exit", "0"),
        ("exit", "3"),
        ("exit", "None"),
        ("exit", "'a message'"),
        ("signal", "9"),
        ("signal", "15"),
        ("interrupt",),
        ("end",),
        ("warn",),
        ("unencodable",),
        ("quick",),
        ("recursion",),
    ],
    ids="-".join,
)
def test_the_output_and_the_exit_status_are_the_same(
    arguments: tuple[str, ...],
    environ: dict[str, str],
    forks: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fork, program = both_ways(
        "twine", "probe", *arguments, environ=environ, forks=forks, monkeypatch=monkeypatch
    )
    assert fork == program


@pytest.mark.parametrize(
    "arguments",
    [
        ("twine", "--version"),
        ("twine", "--help"),
        ("twine",),
        ("twine", "unknown"),
        ("twine", "upload", "--repository-url", "http://127.0.0.1:1/", "missing.whl"),
        ("build", "--version"),
        ("build", "--help"),
        ("build", "--unknown"),
        ("build", "--no-isolation", "missing-folder"),
        ("build", "--no-isolation", "--wheel", "."),
    ],
    ids=" ".join,
)
def test_each_tool_prints_the_same(
    arguments: tuple[str, ...],
    environ: dict[str, str],
    forks: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "pyproject.toml").write_text("[build-system]\nbuild-backend = 'missing'\n")
    fork, program = both_ways(
        *arguments, environ=environ, forks=forks, monkeypatch=monkeypatch, cwd=tmp_path
    )
    assert fork == program


def test_a_tool_runs_in_a_new_process_if_another_variable_differs(
    environ: dict[str, str], forks: list[int]
) -> None:
    version = module_command("build", "--version")
    command.run(version, environ=environ, timeout=60)
    assert len(forks) == 1
    for name in ("PYTHONUTF8", "LC_ALL", "LANG", "TZ", "UNKNOWN", "COLUMNS"):
        command.run(version, environ=environ | {name: "0"}, timeout=60)
        assert len(forks) == 1, name


def test_a_tool_runs_in_a_new_process_if_an_inherited_limit_or_mask_differs(
    environ: dict[str, str], forks: list[int]
) -> None:
    import resource  # noqa: PLC0415 (not on Windows)

    command.run(module_command("twine", "--version"), environ=environ, timeout=60)
    forks.clear()
    show = module_command("twine", "probe", "show")
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if soft else 4096, hard))
    try:
        command.run(show, environ=environ, timeout=60)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
    umask = os.umask(0o027)
    try:
        shown = command.run(show, environ=environ, timeout=60).stdout
    finally:
        os.umask(umask)
    assert "Umask:\\t0027" in shown
    assert forks == []
    command.run(show, environ=environ, timeout=60)
    assert len(forks) == 1


def test_a_tool_runs_in_a_new_process_if_the_home_folder_has_packages(
    environ: dict[str, str], forks: list[int]
) -> None:
    show = module_command("twine", "probe", "show")
    command.run(show, environ=environ, timeout=60)
    (Path(environ["HOME"]) / ".local" / "lib").mkdir(parents=True)
    command.run(show, environ=environ, timeout=60)
    assert len(forks) == 1


def test_a_tool_is_preloaded_although_a_folder_for_packages_does_not_exist(
    environ: dict[str, str],
    forks: list[int],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(site, "PREFIXES", [*site.PREFIXES, str(tmp_path)])
    missing = [folder for folder in site.getsitepackages() if not Path(folder).exists()]
    assert missing
    PRELOADED.stop()
    version = module_command("twine", "--version")
    command.run(version, environ=environ, timeout=60)
    assert len(forks) == 1
    # The packages in a new folder may change what a tool imports.
    Path(missing[-1]).mkdir(parents=True)
    command.run(version, environ=environ, timeout=60)
    assert len(forks) == 1
    monkeypatch.undo()
    PRELOADED.stop()


def test_no_module_reads_a_variable_that_differs_between_tests_when_it_is_imported() -> None:
    script = """
import importlib, os, sys
read = set()
class Environ(type(os.environ)):
    def __getitem__(self, name):
        read.add(name)
        return super().__getitem__(name)
    def __iter__(self):
        read.add("*")
        return super().__iter__()
os.environ.__class__ = Environ
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted(read))
"""
    modules = ("twine.cli", "twine.commands.upload", "build.__main__", "build.env")
    result = command.run(
        [sys.executable, "-P", "-c", script, *modules], environ=os.environ, timeout=60
    )
    read = set(result.stdout.split())
    assert "*" not in read
    # `sysconfig` reads HOME, and a fork computes its value again.
    assert {name for name in read if varies(name)} <= {"HOME"}


def test_a_tool_that_times_out_is_stopped_with_its_descendants(
    environ: dict[str, str], forks: list[int], tmp_path: Path
) -> None:
    # The process that forks has started, so the fork itself takes milliseconds.
    command.run(module_command("twine", "--version"), environ=environ, timeout=60)
    started = tmp_path / "started"
    words = module_command("twine", "probe", "sleep", str(started))
    for timeout in growing_timeouts(2, "write its process id"):
        forks.clear()
        with pytest.raises(CommandTimeout, match=f"timed out after {timeout:g} seconds"):
            command.run(words, environ=environ, timeout=timeout)
        if started.exists() and started.read_text():
            break
    pid = int(started.read_text())
    assert forks == [pid]
    wait_until(
        lambda: not any(_group(process) == pid for process in psutil.process_iter()),
        "the end of all processes of the tool",
    )


def _group(process: psutil.Process) -> int:
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return 0


def test_a_tool_is_reported_as_killed_if_the_process_that_forked_it_was_killed(
    environ: dict[str, str], forks: list[int], tmp_path: Path
) -> None:
    version = module_command("twine", "--version")
    command.run(version, environ=environ, timeout=60)
    assert len(forks) == 1  # Otherwise the parent of the tool is this process.
    started = tmp_path / "started"
    words = module_command("twine", "probe", "sleep", str(started))

    def kill() -> None:
        wait_until(lambda: started.exists() and bool(started.read_text()), "the start of the tool")
        parent = psutil.Process(int(started.read_text())).parent()
        assert parent is not None
        parent.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    result = command.run(words, environ=environ, timeout=60, check=False)
    killer.join()
    assert result.returncode == -signal.SIGKILL
    wait_until(
        lambda: command.run(version, environ=environ, timeout=60).ok and len(forks) == 3,
        "a new process that forks",
    )


def test_tools_run_at_the_same_time(environ: dict[str, str], forks: list[int]) -> None:
    words = [module_command("twine", "probe", "exit", str(number)) for number in range(8)]

    def run(command_line: tuple[str, ...]) -> int:
        return command.run(command_line, environ=environ, timeout=60, check=False).returncode

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(run, words)) == list(range(8))
    assert len(set(forks)) == 8


USES_TOOLS = """
import os, psutil

def test_it(cloudrepo, cloudrepo_package):
    cloudrepo.upload(cloudrepo_package("demo", "1.0"))
    names = [" ".join(each.cmdline()) for each in psutil.Process().children()]
    assert any("fork_server" in name for name in names) == FORKS
"""


@pytest.mark.parametrize("ending", ["passes", "turned off", "is killed"])
def test_nothing_of_a_session_is_left_running(suite: Suite, ending: str) -> None:
    text = USES_TOOLS.replace("FORKS", str(ending != "turned off"))
    if ending == "is killed":
        text += "    os.kill(os.getpid(), 9)\n"
    suite.write(test_it=text)
    options = ["-o", "cloudrepo_preload_tools=false"] if ending == "turned off" else []
    session = suite.start(*options)
    session.wait()
    pattern = re.compile(r"fork_server\.py")
    wait_until(
        lambda: (
            not [
                each
                for each in psutil.process_iter(["cmdline", "environ"])
                if pattern.search(" ".join(each.info["cmdline"] or []))
                and str(suite.folder) in str(each.info["environ"])
            ]
        ),
        "the end of the process that forks",
    )


# Two tests like those of this project, each of which runs an inner session.
HAS_INNER_SESSIONS = """
pytest_plugins = ["pytester", "tests.support.inner_sessions"]
READS_KEY = 'def test_it(pytestconfig): assert not pytestconfig.getini("cloudrepo_preload_tools")'

def test_suite(suite):
    suite.write(test_it=READS_KEY)
    outcome = suite.run()
    assert outcome.counts() == {"passed": 1}, outcome

def test_pytester(pytester):
    pytester.makepyfile(READS_KEY)
    pytester.runpytest_subprocess("-pxprocess", "-pcloudrepo").assert_outcomes(passed=1)
"""


def test_inner_sessions_preload_no_tools_if_the_outer_session_preloads_none(
    suite: Suite,
) -> None:
    suite.write(test_outer=HAS_INNER_SESSIONS)
    outcome = suite.run(
        *("-n", "1", "-o", "cloudrepo_preload_tools=false"),
        environ={"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert outcome.counts() == {"passed": 2}, outcome
