"""PyPI's rules where uploads are concurrent, settings differ, or a library is missing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.hidden_modules import hide_modules
from tests.support.index import Index, Server
from tests.support.process import ServerProcess
from tests.support.pypi_rules import CASES, Upload

CONCURRENT = 12
PLATFORM_TAG = next(case for case in CASES if case.rule == "platform-tag")


def statuses(index: Index, uploads: list[Upload]) -> list[int]:
    with ThreadPoolExecutor(len(uploads)) as threads:
        responses = threads.map(lambda upload: index.post(upload.form()), uploads)
        return sorted(response.status_code for response in responses)


def versions(count: int) -> list[Upload]:
    return [Upload(version=f"{number}.0") for number in range(1, count + 1)]


@pytest.mark.parametrize("dialect", ["modern", "cloudrepo", "gitlab", "artifactory"])
def test_the_setting_applies_the_rules_in_any_dialect(server: Server, dialect: str) -> None:
    index = server.repository(dialect=dialect, rules="pypi")
    response = index.post(PLATFORM_TAG.broken.form())
    assert response.status_code == 400
    assert PLATFORM_TAG.words in response.reason
    assert index.post(PLATFORM_TAG.corrected.form()).status_code == 200
    # A file cannot be replaced, whatever the dialect says.
    changed = replace(
        PLATFORM_TAG.corrected, change_files=lambda files: files.update({"demo.py": b"x = 2\n"})
    )
    rejected = index.post(changed.form())
    assert (rejected.status_code, rejected.reason[:19]) == (400, "File already exists")


def test_without_rules_the_dialect_pypi_is_lenient(server: Server) -> None:
    index = server.repository(dialect="pypi", rules="none")
    assert index.post(PLATFORM_TAG.broken.form()).status_code == 200


def test_a_switched_setting_applies_to_the_next_upload(index: Index) -> None:
    broken = PLATFORM_TAG.broken.form()
    index.set(rules="pypi")
    assert index.post(broken).status_code == 400
    index.set(rules=None)
    assert index.post(broken).status_code == 200


def test_publish_adds_files_that_break_a_rule(server: Server) -> None:
    index = server.repository(dialect="pypi")
    archive = PLATFORM_TAG.broken.archive()
    index.add(archive)
    assert set(index.files()) == {archive.filename}


def test_one_of_concurrent_sdists_of_a_release_is_accepted(server: Server) -> None:
    index = server.repository(dialect="pypi", rules="pypi")
    index.set(max_project_size=1 << 20)
    # All have the same name, and different content.
    uploads = [
        Upload(
            kind="sdist",
            change_files=lambda files, number=number: files.update(  # type: ignore[misc] # mypy infers no lambda with a default
                {"demo-1.0/x": str(number).encode()}
            ),
        )
        for number in range(CONCURRENT)
    ]
    assert statuses(index, uploads) == [200] + [400] * (CONCURRENT - 1)
    assert len(index.files()) == 1


def test_one_of_concurrent_projects_with_confusable_names_is_created(server: Server) -> None:
    index = server.repository(dialect="pypi")
    names = ["lil", "1il", "l1l", "lli", "l-il", "li-1", "1_1l", "i-i-i"]
    assert statuses(index, [Upload(name=name) for name in names]) == [200] + [400] * 7
    assert len(index.json("/")["projects"]) == 1


def test_one_of_concurrent_projects_gets_the_same_content(server: Server) -> None:
    index = server.repository(dialect="pypi")
    names = [f"project{number}" for number in range(2, 2 + CONCURRENT)]

    def for_all(files: dict[str, bytes]) -> None:
        # A wheel that belongs to each of the projects, as far as PyPI's rules can say.
        files |= {
            path.replace("demo-1.0", f"{name}-1.0"): content
            for path, content in dict(files).items()
            for name in names
            if ".dist-info/" in path
        }

    data = Upload(change_files=for_all).archive().data
    uploads = [Upload(name=name, change_data=lambda _: data) for name in names]
    assert statuses(index, uploads) == [200] + [400] * (CONCURRENT - 1)
    assert len(index.json("/")["projects"]) == 1


def test_the_same_content_under_another_name_is_rejected(server: Server) -> None:
    index = server.repository(dialect="pypi")
    assert index.post(Upload().form()).status_code == 200
    other = Upload(filename="demo-1.0-py2.py3-none-any.whl")
    rejected = index.post(other.form())
    assert rejected.status_code == 400
    assert f"File already exists ('{other.filename}', with blake2_256 hash" in rejected.reason
    # The content is free again after the file was deleted.
    index.api_json("DELETE", f"/files/{Upload().archive().filename}")
    assert index.post(other.form()).status_code == 200


def test_the_same_content_in_another_project_is_rejected(server: Server) -> None:
    index = server.repository(dialect="pypi")
    archive = Upload().archive()
    assert index.post(Upload().form()).status_code == 200
    other = Upload(name="other", change_data=lambda _: archive.data)
    rejected = index.post(other.form())
    assert rejected.status_code == 400
    assert "File already exists ('other-1.0-py3-none-any.whl'" in rejected.reason
    assert {project["name"] for project in index.json("/")["projects"]} == {"demo"}


def test_concurrent_uploads_do_not_exceed_the_size_of_a_project(server: Server) -> None:
    index = server.repository(dialect="pypi")
    size = len(Upload().archive().data)
    index.set(max_project_size=3 * size + size // 2)
    assert statuses(index, versions(CONCURRENT)) == [200] * 3 + [400] * (CONCURRENT - 3)


def test_a_release_of_another_spelling_is_the_same_release(server: Server) -> None:
    index = server.repository(dialect="pypi")
    assert index.post(Upload(kind="sdist").form()).status_code == 200
    rejected = index.post(Upload(kind="sdist", version="1.0.0").form())
    assert "Only one sdist may be uploaded per release." in rejected.reason


def test_a_release_that_began_within_the_setting_accepts_files(server: Server) -> None:
    index = server.repository(dialect="pypi")
    assert index.post(Upload().form()).status_code == 200
    index.set(max_release_age=0)
    rejected = index.post(Upload(kind="sdist").form())
    assert "older than 0 days" in rejected.reason
    index.set(max_release_age=3600)
    assert index.post(Upload(kind="sdist").form()).status_code == 200


def test_pypi_accepts_metadata_in_the_file_that_differ_from_the_form(server: Server) -> None:
    index = server.repository(dialect="pypi")
    form = Upload(form_only={"summary": "of the form"}).form()
    assert index.post(form).status_code == 200
    wheel = Upload(
        version="2.0",
        change_files=lambda files: files.update(
            {"demo-2.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 9\n"}
        ),
    )
    assert index.post(wheel.form()).status_code == 200


def test_a_hostile_description_is_rejected_in_time(server: Server) -> None:
    index = server.repository(dialect="pypi")
    nested = "".join(" " * depth + "* x\n\n" for depth in range(700))
    response = index.post(Upload({"description": nested}).form())
    assert response.status_code == 400
    assert "The description failed to render" in response.reason
    assert index.post(Upload({"description": "*text*"}).form()).status_code == 200


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"version": "9" * 5000}, "version"),
        ({"requires_dist": ["a" * 40_000]}, "field-structure"),
        ({"requires_dist": ["a; " + "(" * 20_000]}, "requires-dist"),
        ({"license_expression": "(" * 20_000}, "license-expression"),
        ({"project_urls": ["x" * 20_000 + ", https://example.com"]}, "project-url"),
        ({"author_email": "a@" + "b." * 10_000}, "email"),
        ({"classifiers": ["x" * 30_000] * 100}, "classifier"),
        ({"home_page": "[" * 20_000}, "url"),
        ({"dynamic": ["x"] * 4000}, "dynamic"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_hostile_metadata_are_rejected(
    server: Server, fields: dict[str, str | list[str]], rule: str
) -> None:
    index = server.repository(dialect="pypi")
    response = index.post(Upload(form_only=fields).form())
    assert (response.status_code, response.json()["rule"]) == (400, rule)


@pytest.mark.parametrize(
    "settings",
    [
        {"rules": "no-such-rules"},
        {"max_project_size": -1},
        {"max_release_age": -1},
        {"max_summary": -1},
        {"prohibited_names": ["no name"]},
        {"prohibited_names": [f"name{number}" for number in range(2000)]},
    ],
)
def test_an_invalid_setting_is_rejected(server: Server, settings: dict[str, object]) -> None:
    response = server.api("POST", "/repositories", {"name": "invalid", **settings})
    assert response.status_code == 400
    assert next(iter(settings)) in response.text


@pytest.fixture
def server_without_libraries(tmp_path: Path) -> Server:
    environ = hide_modules(tmp_path / "hidden", "trove_classifiers", "email_validator")
    return Server(ServerProcess(tmp_path / "server", environ=environ))


def test_without_a_library_the_setting_is_rejected_and_the_dialect_leaves_rules_out(
    server_without_libraries: Server,
) -> None:
    server = server_without_libraries
    rejected = server.api("POST", "/repositories", {"name": "demo", "rules": "pypi"})
    assert rejected.status_code == 400
    assert "trove-classifiers, email-validator" in rejected.text
    assert "pytest-cloudrepo[pypi]" in rejected.text
    created = server.api_json("POST", "/repositories", {"name": "demo", "dialect": "pypi"})
    assert created["unchecked_rules"] == ["classifier", "deprecated-classifier", "email"]
    index = Index(server, "demo", *server.user())
    assert index.post(PLATFORM_TAG.broken.form()).status_code == 400
    fields = {"classifiers": ["Topic :: No Such Thing"], "author_email": "a@b..c"}
    assert index.post(Upload(fields).form()).status_code == 200
    server.close()
    assert server.process.stop() == 0
