"""A server that does only what no upload can avoid: `python -m benchmarks.minimal_server FOLDER`.

It reads each body from a socket, computes the three digests of an upload form, and writes the body
to a file. Its speed is the most that any server written in Python can reach.
"""

import hashlib
import json
import socket
import sys
from pathlib import Path

_CHUNK = 1 << 18
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def main() -> None:
    """Accept one upload after the other until the process is stopped."""
    folder = Path(sys.argv[1])
    listener = socket.create_server(("127.0.0.1", 0))
    new = folder / "state.new"
    new.write_text(json.dumps({"url": f"http://127.0.0.1:{listener.getsockname()[1]}"}))
    new.rename(folder / "state.json")
    while True:
        connection, _ = listener.accept()
        with connection:
            _receive_upload(connection, folder / "upload")
            connection.sendall(_RESPONSE)


def _receive_upload(connection: socket.socket, path: Path) -> None:
    head, _, body = _read_head(connection).partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    remaining = int(fields.get(b"content-length", b"0"))
    md5, blake2 = hashlib.md5(usedforsecurity=False), hashlib.blake2b(digest_size=32)
    updates = [hashlib.sha256().update, md5.update, blake2.update]
    with path.open("wb") as file:
        while remaining:
            body = body or connection.recv(_CHUNK)
            if not body:
                return
            for update in updates:
                update(body)
            file.write(body)
            remaining, body = remaining - len(body), b""


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(_CHUNK)
        if not received:
            return b"\r\n\r\n"
        head += received
    return head


if __name__ == "__main__":
    main()
