"""`python -m benchmarks.floor FOLDER`: the least that an upload takes, with nothing around it.

It reads bodies from a socket, digests them as a form's three digests ask for, and writes them.
"""

import hashlib
import json
import socket
import sys
from pathlib import Path

_CHUNK = 1 << 18
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def main() -> None:
    """Take one upload after the other until stopped."""
    folder = Path(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    new = folder / "state.new"
    new.write_text(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}))
    new.rename(folder / "state.json")
    while True:
        connection, _ = listener.accept()
        with connection:
            _take(connection, folder / "upload")
            connection.sendall(_ANSWER)


def _take(connection: socket.socket, path: Path) -> None:
    head, _, body = _head(connection).partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    left = int(fields.get(b"content-length", b"0"))
    md5, blake2 = hashlib.md5(usedforsecurity=False), hashlib.blake2b(digest_size=32)
    updates = [hashlib.sha256().update, md5.update, blake2.update]
    with path.open("wb") as file:
        while left:
            body = body or connection.recv(_CHUNK)
            if not body:
                return
            for update in updates:
                update(body)
            file.write(body)
            left, body = left - len(body), b""


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(_CHUNK)
        if not received:
            return b"\r\n\r\n"
        head += received
    return head


if __name__ == "__main__":
    main()
