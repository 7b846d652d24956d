"""`pytest_cloudrepo.check` and the warning about rules that are not checked."""

from __future__ import annotations

from pathlib import Path

import pytest

import pytest_cloudrepo
from pytest_cloudrepo import CloudRepoError, PackageFactory, Server, UncheckedRulesWarning


def test_a_generated_release_has_no_findings(cloudrepo_package: PackageFactory) -> None:
    wheel, sdist = cloudrepo_package("demo", "1.0"), cloudrepo_package("demo", "1.0", sdist=True)
    assert pytest_cloudrepo.check(wheel, sdist) == []
    assert pytest_cloudrepo.check(str(wheel.parent)) == []


def test_findings_have_the_file_and_the_advice(cloudrepo_package: PackageFactory) -> None:
    wheel = cloudrepo_package("demo", "1.0", tags=["cp313-cp313-linux_x86_64"])
    [finding] = pytest_cloudrepo.check(wheel)
    assert (finding.path, finding.rule) == (wheel, "platform-tag")
    assert "has an unsupported platform tag" in finding.message
    assert str(finding).startswith(f"{wheel.name}: platform tag 'linux_x86_64' is not accepted")
    assert "auditwheel" in finding.advice


def test_limits_and_existing_projects_are_passed_on(cloudrepo_package: PackageFactory) -> None:
    wheel = cloudrepo_package("asyncore", "1.0")
    assert [each.rule for each in pytest_cloudrepo.check(wheel)] == ["standard-library-name"]
    assert pytest_cloudrepo.check(wheel, existing_project=True) == []
    found = pytest_cloudrepo.check(wheel, existing_project=True, max_file_size=100)
    assert [each.rule for each in found] == ["file-size"]


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CloudRepoError, match=r"demo\.whl cannot be read: No such file"):
        pytest_cloudrepo.check(tmp_path / "demo.whl")
    with pytest.raises(ValueError, match="no file was given"):
        pytest_cloudrepo.check()


def test_rules_that_are_not_checked_cause_a_warning(
    cloudrepo_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = cloudrepo_server._api.call  # noqa: SLF001

    def without_libraries(method: str, path: str, **options: object) -> object:
        # As a server without the extra `pypi` responds.
        response = call(method, path, **options)  # type: ignore[arg-type] # the options of this call
        if method == "POST" and path == "repositories":
            response["unchecked_rules"] = ["classifier"]
        return response

    monkeypatch.setattr(cloudrepo_server._api, "call", without_libraries)  # noqa: SLF001
    with pytest.warns(UncheckedRulesWarning, match=r"classifier; run python -m pip install"):
        repository = cloudrepo_server.create_repository(dialect="pypi")
    monkeypatch.undo()
    cloudrepo_server.delete_repository(repository)
