"""Failures of the store: requests are retried, errors are reported, and no file is incomplete."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.archives import wheel
from tests.support.forms import encode, fields
from tests.support.index import Index, Server
from tests.support.object_stores.engines import Engine, MiniStack
from tests.support.object_stores.fixtures import StartSharedServer, index_through
from tests.support.object_stores.flaky_network import Action, FlakyNetwork, Policy, forward_all
from tests.support.raw import connect, request
from tests.support.wait import wait_until

# A server stops retrying after about 10 s if the store does not respond; the machine may be slow.
SECONDS = 60.0


@pytest.fixture
def flaky_server(
    start_shared_server: StartSharedServer, engine: Engine, network: FlakyNetwork
) -> Server:
    """A server that reaches the store through the flaky network."""
    return start_shared_server(**engine.variables_through(network.port))


@pytest.fixture
def index(flaky_server: Server) -> Index:
    return flaky_server.repository(overwrite_protection=True)


def once_per_path(action: Action, methods: str, *parts: str) -> Policy:
    """Return a policy that takes the action once for each path that contains one of `parts`.

    Args:
        action: the action.
        methods: the methods of the requests that count, separated by `|`.
        *parts: parts of paths.
    """
    seen: Counter[str] = Counter()

    def policy(method: str, path: str) -> Action:
        if method not in methods.split("|") or not any(part in path for part in parts):
            return Action.FORWARD
        seen[path] += 1
        return action if seen[path] == 1 else Action.FORWARD

    return policy


@pytest.mark.parametrize(
    "action",
    [
        Action.DROP_RESPONSE,
        Action.REFUSE_CONNECTION,
        Action.CUT_REQUEST,
        Action.RESPOND_503,
        Action.RESPOND_409,
    ],
)
def test_a_write_is_applied_exactly_once_if_its_first_request_fails(
    flaky_server: Server, network: FlakyNetwork, action: Action
) -> None:
    """The server also reports success, rather than a conflict with its own first request."""
    documents = ("/users/", "/repositories/", "/projects/")
    # Blobs have unique keys, so no store reports a conflict for them.
    blobs = () if action is Action.RESPOND_409 else ("/blobs/",)
    network.policy = once_per_path(action, "PUT|POST", *documents, *blobs)
    index = flaky_server.repository(overwrite_protection=True)
    small, large = wheel(), wheel("large", padding=12 << 20)
    index.publish(small, large, wheel(version="2.0"))
    network.policy = once_per_path(action, "PUT", *documents)
    index.api_json("PATCH", f"/files/{small.filename}", {"yanked": "it broke"})
    network.policy = once_per_path(action, "PUT", *documents)
    index.api_json("DELETE", f"/files/{wheel(version='2.0').filename}")
    assert set(index.files()) == {small.filename}
    assert index.files()[small.filename]["yanked"] == "it broke"
    assert index.file(large, "large").content == large.data
    network.policy = once_per_path(action, "PUT", *documents)
    flaky_server.api_json("DELETE", f"/users/{index.username}")
    index.api_json("DELETE")
    assert network.count(action) >= 7


@pytest.mark.parametrize("action", [Action.CUT_RESPONSE, Action.DROP_RESPONSE, Action.RESPOND_503])
def test_a_read_is_retried_if_its_first_request_fails(
    index: Index, network: FlakyNetwork, action: Action
) -> None:
    folders = ("/users/", "/repositories/", "/projects/", "/blobs/")
    large = wheel("large", padding=12 << 20)
    index.publish(wheel(), large)
    network.policy = once_per_path(action, "GET", *folders)
    assert index.file(wheel()).content == wheel().data
    network.policy = once_per_path(action, "GET", *folders)
    assert index.file(large, "large").content == large.data
    assert network.count(action) >= 3


@pytest.mark.parametrize("action", [Action.REFUSE_CONNECTION, Action.HANG, Action.RESPOND_503])
def test_an_unavailable_store_is_reported_without_its_address(
    index: Index, second_server: Server, network: FlakyNetwork, action: Action
) -> None:
    index.publish(wheel())
    network.policy = lambda _method, _path: action
    for response in (
        index.request("GET", "/demo/", timeout=SECONDS),
        index.request("POST", "", data=b"", timeout=SECONDS),
        index.server.request("GET", "/readyz", timeout=SECONDS),
    ):
        assert response.status_code == 503, response.text
        assert "127.0.0.1" not in response.text + response.reason
        assert "bucket" not in response.text + response.reason
    assert response.headers.get("Retry-After")
    assert index.server.request("GET", "/healthz").status_code == 200
    # The other server reaches the store, and is not affected.
    assert index_through(second_server, index).file(wheel()).content == wheel().data
    network.policy = forward_all
    assert index.file(wheel()).content == wheel().data
    assert index.server.request("GET", "/readyz").status_code == 200
    assert index.upload(wheel(version="2.0")).status_code == 200


def test_an_upload_is_stored_completely_or_not_at_all_if_the_store_fails(
    index: Index, second_server: Server, network: FlakyNetwork, engine: Engine
) -> None:
    """The store fails after 0, 1, 2, ... writes, until the upload succeeds."""
    index_on_second = index_through(second_server, index)
    incomplete = engine.incomplete_uploads()
    large, small = wheel("large", padding=12 << 20), wheel()
    for archive, project in ((large, "large"), (small, "demo")):
        for successful_writes in range(8):
            network.policy = refuse_writes_after(successful_writes)
            response = index.post(fields(archive), timeout=SECONDS)
            network.policy = forward_all
            assert response.status_code in (200, 503), response.text
            if response.status_code == 200:
                break
            assert response.headers["Retry-After"]
            page = index_on_second.get(f"/{project}/")
            if page.status_code == 200:
                # The upload was stored although the server could not know; so it must be complete.
                break
            assert page.status_code == 404
        else:
            raise AssertionError("an upload makes more writes than this test expects")
        assert index_on_second.file(archive, project).content == archive.data
    # The failed uploads leave no parts that would stay forever.
    wait_until(
        lambda: engine.incomplete_uploads() <= incomplete, "incomplete uploads to be aborted"
    )


def refuse_writes_after(number: int) -> Policy:
    """Return a policy that forwards this number of writes, and then refuses connections."""
    forwarded = 0

    def policy(method: str, _path: str) -> Action:
        nonlocal forwarded
        if method not in ("PUT", "POST"):
            return Action.FORWARD
        forwarded += 1
        return Action.FORWARD if forwarded <= number else Action.REFUSE_CONNECTION

    return policy


def test_an_upload_with_an_unknown_outcome_keeps_its_content(
    index: Index, second_server: Server, network: FlakyNetwork
) -> None:
    """The response to the last write is lost, and then the store becomes unavailable."""
    unavailable = False

    def policy(method: str, path: str) -> Action:
        nonlocal unavailable
        if unavailable:
            return Action.REFUSE_CONNECTION
        unavailable = method == "PUT" and "/projects/" in path
        return Action.DROP_RESPONSE if unavailable else Action.FORWARD

    network.policy = policy
    response = index.post(fields(wheel()), timeout=SECONDS)
    network.policy = forward_all
    assert response.status_code == 503
    assert "may or may not have been applied" in response.reason
    index_on_second = index_through(second_server, index)
    assert index_on_second.file(wheel()).content == wheel().data
    metadata = index_on_second.get(f"/demo/{wheel().filename}.metadata")
    assert metadata.content == wheel().metadata
    # A second upload is rejected because the file exists.
    assert index.upload(wheel()).status_code == 409


def test_an_upload_whose_client_disconnects_leaves_no_objects_in_the_store(
    index: Index, engine: Engine, url: str
) -> None:
    """The client disconnects after the store received some parts."""
    if not isinstance(engine, MiniStack):
        pytest.skip("this store does not list incomplete uploads")
    before, incomplete = engine.keys(url), engine.incomplete_uploads()
    form = encode(fields(wheel("large", padding=24 << 20)))
    with connect(index.url) as connection:
        headers = {**index.authorization, "Content-Type": form.content_type}
        head = request(
            f"POST {index.path} HTTP/1.1", {**headers, "Content-Length": str(len(form.body))}
        )
        connection.send(head + form.body[:-1000])
        wait_until(lambda: engine.incomplete_uploads() > incomplete, "a part to arrive")
    wait_until(lambda: engine.incomplete_uploads() <= incomplete, "the upload to be aborted")
    wait_until(lambda: engine.keys(url) <= before, "the blob to be deleted")
