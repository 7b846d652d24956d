"""`Repository.publish_folder`, which adds the files of a folder with few requests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_cloudrepo import CloudRepoError, ServerError
from pytest_cloudrepo._api import Api

if TYPE_CHECKING:
    from pytest_cloudrepo import PackageFactory, Repository, VirtualEnv


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder


def add(folder: Path, package: Path, name: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(package, folder / (name or package.name)))


def test_all_distributions_in_a_folder_and_below_it_are_added(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    cloudrepo_venv: VirtualEnv,
    folder: Path,
) -> None:
    wheel = add(folder, cloudrepo_package("demo", "1.0"))
    sdist = add(folder / "more", cloudrepo_package("demo", "1.0", sdist=True))
    other = add(folder / "more" / "deeper", cloudrepo_package("other", "2.0"))
    add(folder / ".cache", cloudrepo_package("hidden", "1.0"))
    add(folder, cloudrepo_package("hidden", "2.0"), ".hidden-2.0-py3-none-any.whl")
    (folder / "README.txt").write_text("no distribution", encoding="utf-8")
    cloudrepo.publish_folder(folder, upload_time="2020-01-31T12:00:00Z")
    assert cloudrepo.files("demo") == sorted([wheel.name, sdist.name])
    assert cloudrepo.files("other") == [other.name]
    assert cloudrepo.files("hidden") == []
    assert cloudrepo.requests == []
    cloudrepo_venv.install("other", index=cloudrepo)
    assert cloudrepo_venv.version("other") == "2.0"


def test_hundreds_of_files_take_few_requests(
    cloudrepo: Repository,
    cloudrepo_package: PackageFactory,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(300):
        add(folder, cloudrepo_package(f"demo{number}", "1.0"))
    large = "x" * (5 << 20)
    add(folder, cloudrepo_package("large", "1.0", files={"large.txt": large}))
    sent: list[str] = []
    call = Api.call

    def count(api: Api, method: str, *path: str, **options: object) -> object:
        sent.append(method)
        return call(api, method, *path, **options)  # type: ignore[arg-type] # as given

    monkeypatch.setattr(Api, "call", count)
    cloudrepo.publish_folder(str(folder))
    assert len(sent) <= 3
    assert cloudrepo.versions("demo299") == cloudrepo.versions("large") == ["1.0"]


def test_the_same_rules_apply_as_to_publish(
    cloudrepo: Repository, cloudrepo_package: PackageFactory, folder: Path
) -> None:
    cloudrepo.overwrite_protection = True
    cloudrepo.publish(cloudrepo_package("demo", "1.0"))
    add(folder, cloudrepo_package("a", "1.0"))
    add(folder, cloudrepo_package("demo", "1.0", files={"demo.py": "x = 2"}))
    add(folder, cloudrepo_package("z", "1.0"))
    with pytest.raises(ServerError, match=r"already exists.*demo-1\.0-py3-none-any\.whl"):
        cloudrepo.publish_folder(folder)
    # The files before the rejected one were added.
    assert cloudrepo.versions("a") == ["1.0"]
    assert cloudrepo.versions("z") == []
    (folder / "broken-1.0-py3-none-any.whl").write_bytes(b"no zip archive")
    cloudrepo.overwrite_protection = False
    with pytest.raises(ServerError, match="broken"):
        cloudrepo.publish_folder(folder)


def test_a_missing_or_empty_folder_is_an_error(cloudrepo: Repository, folder: Path) -> None:
    with pytest.raises(CloudRepoError, match="wheels: it contains no file that ends with"):
        cloudrepo.publish_folder(folder)
    with pytest.raises(CloudRepoError, match="nowhere: there is no such folder"):
        cloudrepo.publish_folder(folder / "nowhere")
