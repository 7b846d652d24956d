"""Dependency graphs: many releases that one call publishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
import requests

from pytest_cloudrepo.errors import PackageError, ServerError

if TYPE_CHECKING:
    from pytest_cloudrepo import Graph, Repository, VirtualEnv

JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


def page(repository: Repository, project: str) -> dict[str, dict[str, Any]]:
    """Return the files of a project page, by name."""
    response = requests.get(f"{repository.index_url}/simple/{project}/", headers=JSON, timeout=10)
    response.raise_for_status()
    return {file["filename"]: file for file in response.json()["files"]}


def test_pip_resolves_a_published_graph(cloudrepo: Repository, cloudrepo_venv: VirtualEnv) -> None:
    cloudrepo.publish_all(
        {
            "a": {"1.0": ["b<2"], "2.0": ["b>=2", "c"]},
            "b": {"1.0": [], "2.0": []},
            "c": {"1.0": ["b<2"]},
        }
    )
    assert cloudrepo.versions("a") == ["1.0", "2.0"]
    cloudrepo_venv.install("a", index=cloudrepo)
    assert [cloudrepo_venv.version(name) for name in "abc"] == ["1.0", "1.0", None]


def test_publishing_a_graph_is_not_in_the_journal(cloudrepo: Repository) -> None:
    cloudrepo.publish_all({"a": {"1.0": []}})
    assert cloudrepo.requests == []


def test_a_release_can_have_details(cloudrepo: Repository) -> None:
    graph: Graph = {
        "plain": {"1.0": []},
        "many": {
            "1.0": {
                "requires": ["plain"],
                "requires_python": ">=3.8",
                "tags": ["py3-none-any", "cp311-cp311-win_amd64"],
                "build_tag": "7",
                "sdist": True,
            },
            "2.0": {"wheel": False, "sdist": True, "yanked": True},
            "3.0": {"yanked": "broken", "upload_time": datetime(2020, 2, 3, 4, 5, tzinfo=UTC)},
            "4.0": {"upload_time": "2021-01-01T00:00:00+02:00", "yanked": False},
            "5.0": {"yanked": ""},
        },
    }
    cloudrepo.publish_all(graph)
    assert cloudrepo.files("plain") == ["plain-1.0-py3-none-any.whl"]
    files = page(cloudrepo, "many")
    assert sorted(files) == [
        "many-1.0-7-cp311-cp311-win_amd64.whl",
        "many-1.0-7-py3-none-any.whl",
        "many-1.0.tar.gz",
        "many-2.0.tar.gz",
        "many-3.0-py3-none-any.whl",
        "many-4.0-py3-none-any.whl",
        "many-5.0-py3-none-any.whl",
    ]
    assert files["many-1.0.tar.gz"]["requires-python"] == ">=3.8"
    assert not files["many-1.0.tar.gz"]["yanked"]
    assert files["many-2.0.tar.gz"]["yanked"] is True
    assert files["many-3.0-py3-none-any.whl"]["yanked"] == "broken"
    assert files["many-5.0-py3-none-any.whl"]["yanked"] is True
    assert files["many-3.0-py3-none-any.whl"]["upload-time"].startswith("2020-02-03T04:05:00")
    assert files["many-4.0-py3-none-any.whl"]["upload-time"].startswith("2020-12-31T22:00:00")


@pytest.mark.cloudrepo(overwrite_protection=True)
def test_overwrite_protection_applies_to_a_graph(cloudrepo: Repository) -> None:
    cloudrepo.publish_all({"a": {"1.0": []}})
    with pytest.raises(ServerError, match=r"a-1\.0-py3-none-any\.whl"):
        cloudrepo.publish_all({"a": {"1.0": ["b"]}})


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ({"a": {"one": []}}, "a one: invalid version 'one'"),
        ({"-a": {"1.0": []}}, "-a 1.0: invalid project name '-a'"),
        ({"a": {"1.0": "b<2"}}, "a 1.0: requires must be a list"),
        ({"a": {"1.0": ["b<"]}}, "a 1.0: invalid requirement 'b<'"),
        ({"a": {"1.0": {"requires": ["b<"]}}}, "a 1.0: invalid requirement 'b<'"),
        ({"a": {"1.0": {"requirs": []}}}, "a 1.0: unknown release key 'requirs'; the keys"),
        ({"a": {"1.0": None}}, "a 1.0: requires must be a list"),
        ({"a": ["1.0"]}, "the project 'a' must be a mapping"),
        ({"a": {1.0: []}}, "a 1.0: invalid version 1.0"),
        ({"a": {"1.0": {"sdist": "no"}}}, "a 1.0: sdist must be True or False, not 'no'"),
        ({"a": {"1.0": {"wheel": False}}}, "a 1.0: a release must have a wheel, an sdist or both"),
        ({"a": {"1.0": {"tags": []}}}, "a 1.0: tags must not be empty"),
        ({"a": {"1.0": {"tags": ["py3"]}}}, "a 1.0: invalid wheel tag 'py3'"),
        (
            {"a": {"1.0": {"wheel": False, "sdist": True, "tags": ["x"]}}},
            "a 1.0: tags and build_tag",
        ),
        ({"a": {"1.0": {"yanked": 1}}}, "a 1.0: yanked must be True, False or a reason"),
        ({"a": {"1.0": {"upload_time": "now"}}}, "a 1.0: upload_time must be an ISO 8601 time"),
        ({"a": {"1.0": {"upload_time": 1.5}}}, "a 1.0: upload_time must be a datetime"),
        ({"a": {"1.0": {"upload_time": "2020-01-01T00:00:00"}}}, "a 1.0: upload_time must have a"),
        (
            {"x.y": {"1.0": []}, "X-Y": {"1": []}, "x_y": {"1.0": []}},
            "x_y 1.0: another release has",
        ),
        (
            {"a": {"1.0": [], "v1.0": []}},
            "a v1.0: another release has the same file name a-1.0-py3-none-any.whl",
        ),
    ],
)
def test_an_invalid_graph_publishes_nothing(
    cloudrepo: Repository, graph: dict[str, Any], message: str
) -> None:
    with pytest.raises(PackageError) as caught:
        cloudrepo.publish_all({"good": {"1.0": []}, **graph})
    assert message in str(caught.value)
    assert cloudrepo.files("good") == []


@pytest.mark.parametrize("hours", [0, 5])
def test_the_upload_time_of_a_release_can_be_set(cloudrepo: Repository, hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    cloudrepo.publish_all({"a": {"1.0": {"upload_time": datetime(2020, 1, 1, hours, tzinfo=zone)}}})
    (file,) = page(cloudrepo, "a").values()
    assert file["upload-time"].startswith("2020-01-01T00:00:00")
