"""Fixed ports for servers that tests start."""

import random
import socket


def free_port() -> int:
    """Return a free port outside of the range of ephemeral ports.

    Systems give ephemeral ports, from 32768 on, to connections and to servers without a fixed port.
    So no connection of another test takes this port before the server starts, or while it restarts.
    """
    for port in random.sample(range(10_000, 32_768), 100):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise RuntimeError("found no free port from 10000 to 32767")
