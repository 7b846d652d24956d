"""Rate limiting of sign-in attempts."""

from __future__ import annotations

import time
from urllib.parse import urlencode

import pytest

from cloudrepo_server.web.portal.throttle import Attempt, SignInThrottle
from tests.support.index import Server
from tests.support.portal.browser import Browser, Form
from tests.support.raw import exchange, request
from tests.support.server_fixtures import StartServer

# The values that SECURITY.md promises. They are not imported, so that another value fails a test.
FREE_ATTEMPTS = 5
FREE_ATTEMPTS_PER_CLIENT = 20
FREE_ATTEMPTS_PER_USER = 20
MAX_WAIT = 60
SECONDS_PER_TURN = 1
MAX_DELAY = 10


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


def fail(throttle: SignInThrottle, address: str, username: str = "admin", times: int = 1) -> int:
    """Start attempts that do not succeed; return how many were not rejected."""
    return sum(not throttle.start_attempt(address, username).wait for _ in range(times))


def test_each_further_failure_makes_the_client_wait_longer(
    throttle: SignInThrottle, clock: Clock
) -> None:
    assert fail(throttle, "1.2.3.4", times=FREE_ATTEMPTS) == FREE_ATTEMPTS
    waits = []
    for _ in range(8):
        waits.append(throttle.start_attempt("1.2.3.4", "admin").wait)
        clock.now += waits[-1]
        assert throttle.start_attempt("1.2.3.4", "admin").wait == 0
    assert waits == [1, 2, 4, 8, 16, 32, MAX_WAIT, MAX_WAIT]


def test_failures_are_forgotten_after_a_success_or_some_time(
    throttle: SignInThrottle, clock: Clock
) -> None:
    assert fail(throttle, "1.2.3.4", times=FREE_ATTEMPTS + 1) == FREE_ATTEMPTS
    throttle.succeed("1.2.3.4", "admin")
    assert fail(throttle, "1.2.3.4", times=FREE_ATTEMPTS + 1) == FREE_ATTEMPTS
    clock.now += 24 * 60 * 60
    assert throttle.start_attempt("1.2.3.4", "admin") == Attempt()


def test_failures_do_not_affect_other_users_or_addresses(
    throttle: SignInThrottle,
) -> None:
    fail(throttle, "1.2.3.4", times=1000)
    assert throttle.start_attempt("1.2.3.4", "ADMIN").wait > 0
    assert throttle.start_attempt("1.2.3.4", "other") == Attempt()
    assert throttle.start_attempt("4.3.2.1", "admin") == Attempt()


def test_an_address_that_tries_many_user_names_is_limited_too(throttle: SignInThrottle) -> None:
    for number in range(FREE_ATTEMPTS_PER_CLIENT):
        assert throttle.start_attempt("1.2.3.4", f"user{number}") == Attempt()
    assert throttle.start_attempt("1.2.3.4", "one more").wait > 0


@pytest.mark.parametrize("prefix", ["2001:db8:1:2:", "fe80::1:2:3:"])
def test_all_addresses_of_a_network_are_one_client(throttle: SignInThrottle, prefix: str) -> None:
    addresses = [f"{prefix}{number:x}" for number in range(1, 100)]
    if "::" not in prefix:
        addresses = [f"{prefix}:{number:x}" for number in range(1, 100)]
    assert sum(fail(throttle, address) for address in addresses) == FREE_ATTEMPTS
    assert throttle.start_attempt("2001:db8:1:3::1", "admin") == Attempt()


def test_an_ipv4_address_is_one_client_in_both_notations(throttle: SignInThrottle) -> None:
    assert fail(throttle, "1.2.3.4", times=FREE_ATTEMPTS) == FREE_ATTEMPTS
    assert fail(throttle, "::ffff:1.2.3.4") == 0
    assert fail(throttle, "::ffff:1.2.3.5") == 1


@pytest.mark.parametrize("clients", [200, 5000])
def test_guesses_from_many_addresses_for_one_user_are_limited(
    throttle: SignInThrottle, clock: Clock, clients: int
) -> None:
    at_once = FREE_ATTEMPTS_PER_USER + MAX_DELAY / SECONDS_PER_TURN + 1
    addresses = [f"10.0.{number // 256}.{number % 256}" for number in range(clients)]
    assert sum(fail(throttle, address) for address in addresses) <= at_once
    # From then on, one attempt is allowed at a time, from any number of addresses.
    minute = 0
    for number, address in enumerate(addresses):
        clock.now += 60 / clients
        minute += fail(throttle, address.replace("10", "11", 1), username="Admin")
        assert number < clients
    assert minute <= 60 / SECONDS_PER_TURN + 1


def test_forgotten_entries_do_not_reset_the_limit_of_a_user(throttle: SignInThrottle) -> None:
    for number in range(100):
        fail(throttle, f"10.0.0.{number}")
    for number in range(10_000):
        fail(throttle, f"11.0.{number // 256}.{number % 256}", username=f"user{number}")
    assert fail(throttle, "12.0.0.1") == 0


def test_one_client_never_delays_or_rejects_another(throttle: SignInThrottle, clock: Clock) -> None:
    for _ in range(3600):
        fail(throttle, "1.2.3.4", times=2 * FREE_ATTEMPTS)
        attempt = throttle.start_attempt("4.3.2.1", "admin")
        throttle.succeed("4.3.2.1", "admin")
        assert attempt == Attempt()
        clock.now += 1


def test_many_clients_never_delay_or_reject_a_browser_that_has_signed_in_before(
    throttle: SignInThrottle, clock: Clock
) -> None:
    for number in range(1000):
        fail(throttle, f"10.0.{number // 256}.{number % 256}", times=2 * FREE_ATTEMPTS)
        fail(throttle, "1.2.3.4", times=2 * FREE_ATTEMPTS)
        clock.now += 0.1
        attempt = throttle.start_attempt("1.2.3.4", "admin", known_browser="known")
        throttle.succeed("1.2.3.4", "admin", known_browser="known")
        assert attempt == Attempt()


def test_a_browser_that_has_signed_in_before_is_limited_too(throttle: SignInThrottle) -> None:
    attempts = [
        throttle.start_attempt(f"10.0.0.{number}", "admin", known_browser="stolen").wait
        for number in range(100)
    ]
    assert attempts.count(0) == FREE_ATTEMPTS


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


def forwarded(server: Server, address: str) -> Browser:
    """Return a browser whose requests a proxy forwards from this address."""
    browser = Browser(server)
    browser.session.headers["X-Forwarded-For"] = address
    return browser


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ("6.6.6.6", "4.4.4.4"),
        ("6.6.6.6:1234", "6.6.6.7:1234"),
        ("[2001:db8::6]:1234", "2001:db8:1::6"),
        # The client itself can send addresses: only the last one is the proxy's.
        ("4.4.4.4, 6.6.6.6", "6.6.6.6, 4.4.4.4"),
    ],
)
def test_failures_behind_a_proxy_do_not_lock_other_clients_out(
    start_server: StartServer, own: str, others: str
) -> None:
    server = Server(start_server("--behind-proxy"))
    username, password = server.admin
    stranger, admin = forwarded(server, own), forwarded(server, others)
    for _ in range(FREE_ATTEMPTS):
        stranger.sign_in(username, "wrong", status=401)
    stranger.sign_in(username, password, status=429)
    assert admin.sign_in(username, password).path == "/portal/"
    for browser in (stranger, admin):
        browser.close()


def test_a_client_behind_a_proxy_cannot_choose_its_address(start_server: StartServer) -> None:
    server = Server(start_server("--behind-proxy"))
    for number in range(FREE_ATTEMPTS + 1):
        browser = forwarded(server, f"10.0.0.{number}, 6.6.6.6")
        browser.sign_in(server.admin[0], "wrong", status=401 if number < FREE_ATTEMPTS else 429)
        browser.close()


def guess(browser: Browser, form: Form, **headers: str) -> int:
    """Submit a wrong password with these headers, and return the status.

    Unlike a browser, this function reads no further page. It can also repeat a header: names of
    headers have no case, so two spellings of a name are two values of one header.
    """
    server = browser.server
    fields = {**form.fields, "username": server.admin[0], "password": "wrong"}
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.session.cookies)
    head = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent = request("POST /portal/sign-in HTTP/1.1", head, urlencode(fields).encode())
    return exchange(server.url, sent).status


def test_an_address_that_a_proxy_adds_in_a_header_of_its_own_is_the_last_one(
    start_server: StartServer,
) -> None:
    """HAProxy adds a second header instead of changing the header of the client."""
    browser = Browser(Server(start_server("--behind-proxy")))
    form = browser.get("/portal/sign-in").form()
    statuses = [
        guess(browser, form, X_Forwarded_For=f"10.0.0.{number}", x_forwarded_for="6.6.6.6")
        for number in range(FREE_ATTEMPTS + 1)
    ]
    assert statuses == [401] * FREE_ATTEMPTS + [429]
    browser.close()


@pytest.mark.parametrize("header", ["10.0.0.{}", "", "x", "1.2.3.4.5", "é"])
def test_forwarded_addresses_are_ignored_without_a_proxy(own_server: Server, header: str) -> None:
    for number in range(FREE_ATTEMPTS + 1):
        browser = forwarded(own_server, header.format(number).encode())  # type: ignore[arg-type]
        browser.sign_in(own_server.admin[0], "wrong", status=401 if number < FREE_ATTEMPTS else 429)
        browser.close()


def test_guesses_from_many_addresses_only_delay_the_right_password(
    start_server: StartServer,
) -> None:
    server = Server(start_server("--behind-proxy"))
    username, password = server.admin
    stranger = Browser(server)
    form = stranger.get("/portal/sign-in").form()
    guesses, started = FREE_ATTEMPTS_PER_USER + 2, time.monotonic()
    for number in range(guesses):
        assert guess(stranger, form, X_Forwarded_For=f"10.0.0.{number}") == 401
    admin = forwarded(server, "4.4.4.4")
    assert admin.sign_in(username, password).path == "/portal/"
    # However long the requests took, the server checked no more passwords than it promises. Event
    # loops round delays to milliseconds.
    earliest = (guesses - FREE_ATTEMPTS_PER_USER) * SECONDS_PER_TURN - 0.1
    assert time.monotonic() - started > earliest
    for browser in (stranger, admin):
        browser.close()


def test_strangers_at_the_same_address_do_not_lock_a_known_browser_out(own_server: Server) -> None:
    username, password = own_server.admin
    admin, stranger = Browser(own_server), Browser(own_server)
    admin.sign_in(username, password)
    (form,) = [each for each in admin.get("/portal/").forms if each.action == "/portal/sign-out"]
    admin.request("POST", form.action, data=form.fields)
    for _ in range(FREE_ATTEMPTS):
        stranger.sign_in(username, "wrong", status=401)
    stranger.sign_in(username, password, status=429)
    # The cookie of a known browser is no login.
    assert admin.get("/portal/").path == "/portal/sign-in"
    assert admin.sign_in(username, password).path == "/portal/"
    admin.close()
    stranger.close()
