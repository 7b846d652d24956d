from __future__ import annotations

import pytest

from cloudrepo_server.web.portal.throttle import (
    FREE_TRIES,
    FREE_TRIES_OF_ADDRESS,
    MAX_WAIT,
    SignInThrottle,
)
from tests.support.index import Server
from tests.support.portal.browser import Browser


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> SignInThrottle:
    return SignInThrottle(clock)


def test_failures_cost_longer_and_longer(throttle: SignInThrottle, clock: Clock) -> None:
    assert [throttle.begin("1.2.3.4", "admin") for _ in range(FREE_TRIES)] == [0] * FREE_TRIES
    waits = []
    for _ in range(8):
        waits.append(throttle.begin("1.2.3.4", "admin"))
        clock.now += waits[-1]
        assert throttle.begin("1.2.3.4", "admin") == 0
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT, MAX_WAIT]


def test_a_success_and_the_time_forgive(throttle: SignInThrottle, clock: Clock) -> None:
    for _ in range(FREE_TRIES):
        throttle.begin("1.2.3.4", "admin")
    assert throttle.begin("1.2.3.4", "admin") > 0
    throttle.succeed("1.2.3.4", "admin")
    assert throttle.begin("1.2.3.4", "admin") == 0
    for _ in range(FREE_TRIES):
        throttle.begin("1.2.3.4", "admin")
    clock.now += 24 * 60 * 60
    assert throttle.begin("1.2.3.4", "admin") == 0


def test_who_fails_holds_up_neither_other_users_nor_other_addresses(
    throttle: SignInThrottle,
) -> None:
    for _ in range(FREE_TRIES):
        throttle.begin("1.2.3.4", "admin")
    assert throttle.begin("1.2.3.4", "ADMIN") > 0
    assert throttle.begin("1.2.3.4", "other") == 0
    assert throttle.begin("4.3.2.1", "admin") == 0


def test_an_address_that_tries_many_names_is_held_up_too(throttle: SignInThrottle) -> None:
    for number in range(FREE_TRIES_OF_ADDRESS):
        assert throttle.begin("1.2.3.4", f"user{number}") == 0
    assert throttle.begin("1.2.3.4", "one more") > 0


def test_names_without_end_take_no_memory_without_end(
    throttle: SignInThrottle, clock: Clock
) -> None:
    for number in range(10_000):
        throttle.begin(f"address {number}", "x" * 1000)
        clock.now += 0.01
    assert len(throttle) <= 4096


def test_a_browser_that_failed_too_often_is_told_how_long_to_wait(own_server: Server) -> None:
    stranger = Browser(own_server)
    username, password = own_server.admin
    for _ in range(FREE_TRIES):
        stranger.sign_in(username, "wrong", status=401)
    page = stranger.sign_in(username, password, status=429)
    assert "Too many sign-ins failed. Try again in 1 second" in page.text
    assert page.answer.headers["Retry-After"] == "1"
    # Nobody else waits.
    assert own_server.request("GET", "/healthz").status_code == 200
    assert own_server.api("GET", "/repositories").status_code == 200
    email, passphrase = own_server.user()
    stranger.sign_in(email, passphrase, status=403)
    stranger.close()
