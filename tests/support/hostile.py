"""Hostile clients: what they send, and which responses are allowed."""

from __future__ import annotations

import random

from tests.support.archives import wheel
from tests.support.forms import Form, encode, fields
from tests.support.index import Index
from tests.support.raw import RawResponse, connect, request

MEBIBYTE = 1 << 20

VALID_FORM = encode(fields(wheel()))


def head(index: Index, form: Form, **headers: str) -> bytes:
    """Return the head of the request that uploads a form; headers are given with underscores."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return request(
        f"POST {index.path} HTTP/1.1",
        {**index.authorization, "Content-Type": form.content_type, **more},
    )


def send_raw(index: Index, data: bytes) -> RawResponse | None:
    """Send exactly these bytes; return the response, or None if the connection was closed."""
    with connect(index.url) as connection:
        try:
            connection.send(data)
            connection.half_close()
            return connection.read_response()
        except ConnectionError:
            return None


def assert_rejected(response: RawResponse | None) -> None:
    assert response is None or 400 <= response.status < 500, response


def assert_no_server_error(response: RawResponse | None) -> None:
    assert response is None or response.status < 500, response


def assert_form_rejected_and_connection_usable(index: Index, form: Form) -> None:
    """Send a form with its correct length: it is rejected, and the connection can be used again."""
    with connect(index.url) as connection:
        connection.send(head(index, form, Content_Length=str(len(form.body))) + form.body)
        response = connection.read_response()
        assert response.status in (400, 413), response
        assert response.reason not in ("", "Bad Request")
        if response.headers.get("Connection", "").lower() != "close":
            connection.send(request(f"GET {index.path}/ HTTP/1.1", index.authorization))
            assert connection.read_response().status == 200


def mutate(random_: random.Random, data: bytes) -> bytes:
    """Return the bytes with some of them deleted, replaced, repeated or inserted."""
    for _ in range(random_.randint(1, 4)):
        at, size = random_.randrange(len(data)), random_.randint(0, 40)
        piece = random_.choice((b"", random_.randbytes(size), data[at : at + size] * 2, b"\r\n"))
        data = data[:at] + piece + data[at + size :]
    return data
