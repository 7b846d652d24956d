"""Ports for servers of the tests."""

import random
import socket


def free_port() -> int:
    """Return a port that is free now, and that stays free unless a program asks for this number.

    The system gives no number below 32768 to a socket that asks for any port, so no connection of
    another test takes the port before its server starts, or between two starts.
    """
    for port in random.sample(range(10_000, 32_768), 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise RuntimeError("found no free port from 10000 to 32767")
