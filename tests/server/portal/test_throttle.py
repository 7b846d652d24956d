"""Rate limiting of sign-in attempts."""

from __future__ import annotations

import pytest

from cloudrepo_server.web.portal.throttle import (
    FREE_ATTEMPTS,
    FREE_ATTEMPTS_PER_ADDRESS,
    MAX_WAIT,
    SignInThrottle,
)
from tests.support.index import Server
from tests.support.portal.browser import Browser


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> SignInThrottle:
    return SignInThrottle(clock)


def test_repeated_failures_wait_longer_and_longer(throttle: SignInThrottle, clock: Clock) -> None:
    assert [throttle.start_attempt("1.2.3.4", "admin") for _ in range(FREE_ATTEMPTS)] == [
        0
    ] * FREE_ATTEMPTS
    waits = []
    for _ in range(8):
        waits.append(throttle.start_attempt("1.2.3.4", "admin"))
        clock.now += waits[-1]
        assert throttle.start_attempt("1.2.3.4", "admin") == 0
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT, MAX_WAIT]


def test_failures_are_forgotten_after_a_success_or_some_time(
    throttle: SignInThrottle, clock: Clock
) -> None:
    for _ in range(FREE_ATTEMPTS):
        throttle.start_attempt("1.2.3.4", "admin")
    assert throttle.start_attempt("1.2.3.4", "admin") > 0
    throttle.reset("1.2.3.4", "admin")
    assert throttle.start_attempt("1.2.3.4", "admin") == 0
    for _ in range(FREE_ATTEMPTS):
        throttle.start_attempt("1.2.3.4", "admin")
    clock.now += 24 * 60 * 60
    assert throttle.start_attempt("1.2.3.4", "admin") == 0


def test_failures_do_not_affect_other_users_or_addresses(
    throttle: SignInThrottle,
) -> None:
    for _ in range(FREE_ATTEMPTS):
        throttle.start_attempt("1.2.3.4", "admin")
    assert throttle.start_attempt("1.2.3.4", "ADMIN") > 0
    assert throttle.start_attempt("1.2.3.4", "other") == 0
    assert throttle.start_attempt("4.3.2.1", "admin") == 0


def test_an_address_that_tries_many_user_names_is_limited_too(throttle: SignInThrottle) -> None:
    for number in range(FREE_ATTEMPTS_PER_ADDRESS):
        assert throttle.start_attempt("1.2.3.4", f"user{number}") == 0
    assert throttle.start_attempt("1.2.3.4", "one more") > 0


def test_memory_stays_bounded_with_many_long_user_names(
    throttle: SignInThrottle, clock: Clock
) -> None:
    for number in range(10_000):
        throttle.start_attempt(f"address {number}", "x" * 1000)
        clock.now += 0.01
    assert len(throttle) <= 4096


def test_the_sign_in_page_shows_how_long_to_wait(own_server: Server) -> None:
    anonymous = Browser(own_server)
    username, password = own_server.admin
    for _ in range(FREE_ATTEMPTS):
        anonymous.sign_in(username, "wrong", status=401)
    page = anonymous.sign_in(username, password, status=429)
    assert "Too many failed sign-ins. Try again in 1 second" in page.text
    assert page.response.headers["Retry-After"] == "1"
    # Other requests and other users are not affected.
    assert own_server.request("GET", "/healthz").status_code == 200
    assert own_server.api("GET", "/repositories").status_code == 200
    email, passphrase = own_server.user()
    anonymous.sign_in(email, passphrase, status=403)
    anonymous.close()
