"""Two servers over one store, through the load balancer of `deploy/nginx.conf`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from pytest_cloudrepo._programs.command import run
from pytest_cloudrepo._programs.environment import Environment
from pytest_cloudrepo._programs.result import CommandResult
from tests.support.archives import wheel
from tests.support.deploy import DEPLOY, Stack, answer_of
from tests.support.forms import encode, fields
from tests.support.raw import connect, exchange, request
from tests.support.wait import wait_until

PROJECT = DEPLOY.parent
LARGE = 48 << 20


def program(folder: Path, *arguments: str | Path, **environ: str) -> CommandResult:
    environment = {**Environment(folder / "environment").scrubbed(), **environ}
    command = [sys.executable, "-m", *arguments]
    return run(command, environ=environment, timeout=120.0, check=False)


def metric(stack: Stack, server: str, name: str) -> float:
    text = answer_of(stack.servers[server].url + "/metrics").text
    samples = [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    return sum(sample.value for sample in samples)


def test_twine_and_pip_see_what_one_server_would_say(stack: Stack, tmp_path: Path) -> None:
    index = stack.reached().repository("twine", overwrite_protection=True)
    demo = wheel(module="x = 42\n")
    path = tmp_path / demo.filename
    login = {
        "TWINE_REPOSITORY_URL": index.url,
        "TWINE_USERNAME": index.username,
        "TWINE_PASSWORD": index.password,
    }
    path.write_bytes(demo.data)
    published = program(tmp_path, "twine", "upload", path, **login)
    assert published.ok, published.output
    path.write_bytes(wheel(module="x = 43\n").data)
    again = program(tmp_path, "twine", "upload", path, **login)
    assert not again.ok
    # The reason phrase comes through, whichever server it is; twine shows nothing else.
    assert f"File already exists: {demo.filename}" in " ".join(again.output.split())
    target = tmp_path / "target"
    installed = program(
        *(tmp_path, "pip", "install", "--no-deps", "--index-url", index.index_url),
        *("--target", target, "demo"),
    )
    assert installed.ok, installed.output
    assert (target / "demo.py").read_text() == "x = 42\n"


def test_many_runs_share_them_and_leave_nothing(stack: Stack, tmp_path: Path) -> None:
    shutil.copy(PROJECT / "tests" / "examples" / "test_main_job.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    use = f"--cloudrepo-url={stack.url}"
    environ = {**os.environ, **stack.environ}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", use]
    runs = [
        subprocess.Popen(
            [*command, "-n", workers],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for workers in ("0", "2")
    ]
    for run_ in runs:
        with run_:
            output, _ = run_.communicate(timeout=240)
        assert run_.returncode == 0, output
        assert "3 passed" in output
    server = stack.reached()
    names = [each["name"] for each in server.done("GET", "/repositories")["repositories"]]
    assert [name for name in names if name.startswith("test_")] == []
    assert [each for each in server.done("GET", "/users")["users"] if each["run"]] == []


def test_a_refused_login_is_passed_on(stack: Stack) -> None:
    index = stack.reached().repository("login")
    answer = index.request("GET", auth=(index.username, "wrong-passphrase"))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="example", charset="UTF-8"'
    assert answer.reason == "The user name or passphrase is wrong."


def test_a_large_upload_is_passed_on_as_it_arrives(stack: Stack) -> None:
    def in_flight() -> float:
        return sum(metric(stack, name, "cloudrepo_requests_in_flight") for name in stack.servers)

    index = stack.reached().repository("large")
    large = wheel(padding=LARGE)
    form = encode(fields(large))
    headers = {**index.authorization, "Content-Type": form.content_type}
    whole = request(f"POST {index.path} HTTP/1.1", headers, form.body)
    with connect(index.url, seconds=60) as connection:
        connection.send(whole[: LARGE // 2])
        # Those two are the questions themselves.
        wait_until(lambda: in_flight() == 3, "the upload to reach a server")
        connection.send(whole[LARGE // 2 :])
        answer = connection.read_response()
    assert answer.status == 200, answer
    assert index.file(large).content == large.data


def test_a_url_begins_as_it_was_asked_for(stack: Stack) -> None:
    stack.reached().repository("urls")
    path = "/api/repositories/urls"
    told = answer_of(stack.url + path).json()["url"]
    assert told == f"{stack.url}/repositories/urls"
    # As where TLS ends at the balancer.
    headers = {"X-Forwarded-Proto": "https", "Host": "index.example.com"}
    told = answer_of(stack.servers["two"].url + path, **headers).json()["url"]
    assert told == "https://index.example.com/repositories/urls"


def test_a_request_bears_its_id_through_both(stack: Stack) -> None:
    answer = exchange(stack.url, request("GET /readyz HTTP/1.1"))
    told = answer.headers["X-Request-Id"]
    assert len(told) == 32
    logs = [server.process for server in stack.servers.values()]
    wait_until(lambda: sum(log.log.count(told) for log in logs) == 1, "the request in a log")


def test_what_the_store_is_asked_is_counted(stack: Stack) -> None:
    before = metric(stack, "two", "cloudrepo_storage_total")
    answer_of(stack.servers["two"].url + "/api/repositories")
    assert metric(stack, "two", "cloudrepo_storage_total") > before


def test_metrics_are_not_for_everybody(stack: Stack) -> None:
    assert answer_of(stack.url + "/metrics").status_code == 404


def test_servers_are_replaced_one_by_one_and_nobody_notices(stack: Stack) -> None:
    index = stack.reached().repository("rolling", overwrite_protection=True)
    over = threading.Event()
    answers: list[tuple[str, int, str]] = []

    def publish(name: str) -> None:
        number = 0
        while not over.is_set():
            each = wheel(name, f"{number}.0")
            form = encode(fields(each))
            headers = {**index.authorization, "Content-Type": form.content_type}
            sent = exchange(index.url, request(f"POST {index.path} HTTP/1.1", headers, form.body))
            answers.append((each.filename, sent.status, sent.reason))
            number += 1

    threads = [threading.Thread(target=publish, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    try:
        for name in stack.servers:
            seen = len(answers)
            wait_until(lambda seen=seen: len(answers) > seen + 10, "uploads")  # type: ignore[misc]  # mypy infers no type for it
            assert stack.stop(name) == 0
            assert "cut" not in stack.servers[name].process.log
            seen = len(answers)
            wait_until(lambda seen=seen: len(answers) > seen + 10, "uploads to the other")  # type: ignore[misc]  # likewise
            stack.start(name)
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert [answer for answer in answers if answer[1] != 200] == []
    for server in stack.servers.values():
        served = {
            file["filename"]
            for name in ("a", "b", "c")
            for file in server.done("GET", f"/repositories/rolling/projects/{name}")["files"]
        }
        assert served == {filename for filename, _, _ in answers}
