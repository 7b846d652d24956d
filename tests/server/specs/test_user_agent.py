"""The program that a User-Agent header describes."""

from __future__ import annotations

import pytest

from cloudrepo_server.specs.user_agent import parse_user_agent

PIP = (
    'pip/24.2 {"ci":null,"cpu":"x86_64","distro":{"id":"bookworm","libc":{"lib":"glibc",'
    '"version":"2.36"},"name":"Debian GNU/Linux","version":"12"},"implementation":{"name":'
    '"CPython","version":"3.11.2"},"installer":{"name":"pip","version":"24.2"},"openssl_version":'
    '"OpenSSL 3.0.15","python":"3.11.2","rustc_version":null,"setuptools_version":"66.1.1",'
    '"system":{"name":"Linux","release":"6.1.0"}}'
)
TWINE = (
    "twine/5.1.1 CPython/3.12.4 importlib-metadata/8.0.0 requests/2.32.3 requests-toolbelt/1.0.0"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 "
    "Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Safari/605.1.15"
)


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (PIP, "pip 24.2"),
        ('uv/0.4.20 {"installer":{"name":"uv","version":"0.4.20"},"python":"3.12.7"}', "uv 0.4.20"),
        (TWINE, "twine 5.1.1"),
        ("Poetry/1.8.3 CPython/3.11.9 Linux/6.1.0", "poetry 1.8.3"),
        ("pdm/2.20.1", "pdm 2.20.1"),
        ("Hatch/1.13.0 (Linux; python 3.12)", "hatch 1.13.0"),
        ("python-requests/2.32.3", "python-requests 2.32.3"),
        ("Python-urllib/3.11", "python-urllib 3.11"),
        ("curl/8.5.0", "curl 8.5.0"),
        (FIREFOX, "firefox 128.0"),
        (CHROME, "chrome 126.0.0.0"),
        (f"{CHROME} Edg/126.0.1", "edge 126.0.1"),
        (CHROME.replace("Chrome", "HeadlessChrome"), "chrome 126.0.0.0"),
        (SAFARI, "safari 17.5"),
        ("Mozilla/5.0", "mozilla 5.0"),
        ("my client", "my"),
        ("", "unknown"),
        ("(only a comment)", "(only"),
        ("\u2603 snow", "\u2603"),
        ("pip/24.2 {", "pip 24.2"),
        ("pip/24.2 []", "pip 24.2"),
        ("pip/24.2 " + '{"a":' * 2000, "pip 24.2"),
        ("x" * 8000, "x" * 200),
    ],
)
def test_the_name_and_the_version_of_a_client_are_shown(header: str, shown: str) -> None:
    assert str(parse_user_agent(header)) == shown


def test_details_of_pip_are_those_of_its_json() -> None:
    details = dict(parse_user_agent(PIP).details)
    assert details["python"] == "3.11.2"
    assert details["implementation"] == "CPython 3.11.2"
    assert details["distro"] == "Debian GNU/Linux 12"
    assert details["distro libc version"] == "2.36"
    assert details["system"] == "Linux"
    assert "ci" not in details


def test_details_of_other_clients_are_further_products_and_comments() -> None:
    assert dict(parse_user_agent(TWINE).details)["requests"] == "2.32.3"
    assert parse_user_agent(FIREFOX).details == (("system", "X11; Linux x86_64; rv:128.0"),)


def test_the_number_and_length_of_details_are_limited() -> None:
    many = "pip/1 " + str({f"key{number}": "v" * 500 for number in range(200)}).replace("'", '"')
    details = parse_user_agent(many).details
    assert len(details) == 40
    assert {len(value) for _, value in details} == {200}
