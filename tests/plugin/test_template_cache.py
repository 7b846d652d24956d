"""The cache of templates of virtual environments, which later pytest sessions use."""

from __future__ import annotations

import os
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.template_cache import TemplateCache
from pytest_cloudrepo.venv import VirtualEnv
from tests.support.platforms import needs_posix

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.inner_sessions import Suite

pytestmark = needs_posix("templates of environments")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def create(tmp_path: Path, cache: Path) -> Callable[[str], VirtualEnv]:
    """A function that creates the first virtual environment of a session with this name."""

    def create(session: str) -> VirtualEnv:
        return VirtualEnv(
            tmp_path / session / "venv",
            pip=False,
            environment=Environment(tmp_path / "environment"),
            app_data=tmp_path / session / "app-data",
            cache=cache,
            timeout=120,
        )

    return create


def archive_in(cache: Path) -> Path:
    (archive,) = cache.iterdir()
    return archive


def tree(folder: Path) -> dict[str, tuple[int, object, int]]:
    """Return each file and link below a folder, with its mode, content and modification time."""

    def describe() -> Iterator[tuple[str, tuple[int, object, int]]]:
        for path in folder.rglob("*"):
            status = path.lstat()
            name = str(path.relative_to(folder))
            if path.is_symlink():
                yield name, (0, path.readlink(), 0)
            elif path.is_file():
                yield name, (status.st_mode, path.read_bytes(), status.st_mtime_ns)

    return dict(describe())


def test_a_later_session_creates_the_same_environment_from_the_cache(
    create: Callable[[str], VirtualEnv], cache: Path
) -> None:
    first = create("first")
    with zipfile.ZipFile(archive_in(cache), "a") as archive:
        archive.writestr(zipfile.ZipInfo("added-by-the-test"), "")
        # The modification time, in nanoseconds.
        archive.infolist()[-1].comment = b"0"
    second = create("second")
    assert (second.folder / "added-by-the-test").exists()
    assert tree(second.folder) == tree(first.folder) | {
        "added-by-the-test": tree(second.folder)["added-by-the-test"]
    }
    assert second.run("-c", "import sys; print(sys.prefix)").stdout.strip() == str(second.folder)


def test_programs_of_a_cached_environment_find_its_pip(suite: Suite, tmp_path: Path) -> None:
    suite.write(
        test_it="""
import pathlib, subprocess

def test_it(cloudrepo_venv):
    program = [cloudrepo_venv.scripts / "pip", "--version"]
    output = subprocess.run(program, check=True, capture_output=True, text=True).stdout
    assert str(cloudrepo_venv.folder) in output
    compiled = list(cloudrepo_venv.folder.glob("lib/*/site-packages/pip/__pycache__/*.pyc"))
    assert compiled
    # A test that changes a file changes neither the cache nor the next session.
    (init,) = cloudrepo_venv.folder.glob("lib/*/site-packages/pip/__init__.py")
    with init.open("r+") as file:
        file.write("raise SystemExit('changed by a test')")
"""
    )
    option = f"cloudrepo_cache_dir={tmp_path / 'cache'}"
    for _ in range(2):
        outcome = suite.run("test_it.py", "-o", option)
        assert outcome.counts() == {"passed": 1}, outcome
    archive = archive_in(tmp_path / "cache" / "templates")
    with zipfile.ZipFile(archive) as content:
        assert content.testzip() is None
    archive.unlink()
    suite.write(
        test_without_pip="def test_it(cloudrepo_venv_factory): cloudrepo_venv_factory(pip=False)"
    )
    outcome = suite.run("test_without_pip.py", "-o", option, "--cloudrepo-no-cache")
    assert outcome.counts() == {"passed": 1}, outcome
    assert not list(archive.parent.iterdir())


def flip_a_bit(archive: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        largest = max(content.infolist(), key=lambda entry: entry.file_size)
    data = bytearray(archive.read_bytes())
    data[largest.header_offset + 200] ^= 1
    archive.write_bytes(data)


def cut_off(archive: Path) -> None:
    os.truncate(archive, archive.stat().st_size // 2)


def empty(archive: Path) -> None:
    os.truncate(archive, 0)


def replace_with_a_link(archive: Path) -> None:
    target = archive.parent.parent / "elsewhere.zip"
    archive.rename(target)
    archive.symlink_to(target)


def replace_with_a_named_pipe(archive: Path) -> None:
    archive.unlink()
    os.mkfifo(archive)


@pytest.mark.parametrize(
    "damage", [flip_a_bit, cut_off, empty, replace_with_a_link, replace_with_a_named_pipe]
)
def test_a_damaged_template_is_replaced(
    create: Callable[[str], VirtualEnv], cache: Path, damage: Callable[[Path], None]
) -> None:
    first = create("first")
    damage(archive_in(cache))
    second = create("second")
    assert second.run("-c", "").ok
    assert tree(second.folder).keys() == tree(first.folder).keys()
    with zipfile.ZipFile(archive_in(cache)) as content:
        assert content.testzip() is None
    assert not archive_in(cache).is_symlink()


def test_the_cache_is_private(create: Callable[[str], VirtualEnv], cache: Path) -> None:
    old = os.umask(0)
    try:
        create("first")
    finally:
        os.umask(old)
    assert cache.stat().st_mode & 0o777 == 0o700
    assert archive_in(cache).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["writable for others", "a link", "a file", "a broken link"])
def test_a_folder_that_is_not_private_is_not_used(
    create: Callable[[str], VirtualEnv], cache: Path, tmp_path: Path, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if kind == "writable for others":
        cache.mkdir()
        cache.chmod(0o777)
    elif kind == "a link":
        cache.symlink_to(elsewhere)
    elif kind == "a file":
        cache.touch()
    else:
        cache.symlink_to(tmp_path / "missing")
    assert create("first").run("-c", "").ok
    assert not list(elsewhere.iterdir())
    assert kind != "writable for others" or not list(cache.iterdir())


def test_the_cache_can_be_deleted_at_any_time(
    create: Callable[[str], VirtualEnv], cache: Path
) -> None:
    create("first")
    archive_in(cache).unlink()
    create("second")
    archive_in(cache).unlink()
    cache.rmdir()
    assert create("third").run("-c", "").ok
    assert archive_in(cache).is_file()


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    folder.mkdir()
    (folder / "file").write_text("content")
    return folder


def test_templates_that_were_not_used_lately_are_deleted(
    tmp_path: Path, template: Path, cache: Path
) -> None:
    templates = TemplateCache(cache)
    for name in ("used", "unused"):
        templates.store(name, template)
    (cache / "killed.unfinished").touch()
    for path in cache.iterdir():
        os.utime(path, (0, 0))
    assert templates.restore("used", tmp_path / "restored")
    templates.store("new", template)
    assert sorted(path.name for path in cache.iterdir()) == ["new.zip", "used.zip"]


def test_only_the_ten_newest_templates_are_kept(template: Path, cache: Path) -> None:
    templates = TemplateCache(cache)
    start = time.time() - 3600
    for number in range(12):
        templates.store(f"{number:02}", template)
        os.utime(cache / f"{number:02}.zip", (start + number, start + number))
    assert sorted(path.stem for path in cache.iterdir()) == [f"{n:02}" for n in range(2, 12)]
