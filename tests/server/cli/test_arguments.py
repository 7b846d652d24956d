"""The types of arguments: the values they return and the texts they reject."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import pytest

from cloudrepo_server.cli import arguments


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (arguments.age, "45s", 45.0),
        (arguments.age, "90m", 5400.0),
        (arguments.age, "2d", 172_800.0),
        (arguments.data_location, "some/folder", Path("some/folder")),
        (arguments.data_location, "s3://bucket/prefix", "s3://bucket/prefix"),
        (arguments.port, "0", 0),
        (arguments.positive_integer, "1", 1),
        (arguments.positive_seconds, "0.5", 0.5),
        (arguments.seconds, "0", 0.0),
        *(
            (arguments.server_url, url, url)
            for url in ("http://index.example:8080", "https://[::1]:80/", "http://my_host/prefix")
        ),
    ],
)
def test_a_valid_text_is_converted(
    parse: Callable[[str], object], text: str, value: object
) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "words"),
    [
        (arguments.age, "12", "'12' is not an age"),
        (arguments.age, "²d", "'²d' is not an age"),
        (arguments.age, "1" * 10 + "d", "is not an age"),
        (arguments.data_location, "ftp://host/folder", "is not a supported object store"),
        (arguments.data_location, "s3://[bucket", "not a valid URL of an object store"),
        (arguments.index_url, "http://a..b/", "not an http or https URL"),
        (arguments.port, "65536", "'65536' is not a port number"),
        (arguments.positive_integer, "0", "'0' is not a positive integer"),
        (arguments.positive_seconds, "0", "'0' would disconnect every client at once"),
        (arguments.seconds, "nan", "'nan' is not a valid number of seconds"),
        (arguments.seconds, "86401", "use a number from 0 to 86400"),
        *(
            (arguments.server_url, url, "not an http or https URL")
            for url in (
                "index.example",
                "http://",
                "http://index..example",
                f"http://{'x' * 64}.example",
                "http://[1",
                "http://index.example:port",
                "http://index.example:65536",
                "http://index.example/a b",
                "http://index.example/\n",
                "http://\udcff.example",
            )
        ),
    ],
)
def test_an_invalid_text_is_rejected(parse: Callable[[str], object], text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        parse(text)


def test_the_error_about_a_url_does_not_contain_its_password() -> None:
    with pytest.raises(argparse.ArgumentTypeError) as raised:
        arguments.server_url("http://admin:a-secret@index.example")
    assert "a-secret" not in str(raised.value)
