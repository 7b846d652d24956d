"""A server whose data folder has damaged documents."""

from __future__ import annotations

from pathlib import Path

from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.server_fixtures import StartServer

DAMAGED_KINDS = ("projects", "repositories", "tokens", "users")
OTHER_KINDS = ("claims", "identities", "serials")


def start_with_damage(start_server: StartServer, data: Path) -> Server:
    """Start a server after documents were damaged while no server was running.

    The repository `main` and its project `intact` can be read. Its project `broken` is damaged.
    """
    server = Server(start_server("--data", data))
    main = server.repository("main")
    main.publish(wheel("intact"))
    before = set((data / "store").rglob("*.json"))
    main.publish(wheel("broken"))
    server.repository("lost")
    server.api_json("POST", "/tokens", {"repository": "main"})
    server.close()
    assert server.process.stop() == 0
    store = data / "store"
    for path in set(store.rglob("*.json")) - before:
        if path.relative_to(store).parts[0] in DAMAGED_KINDS:
            path.write_text("{")
    (broken,) = store.glob("projects/*/p-broken.json")
    for kind in OTHER_KINDS:
        folder = store / kind / broken.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "damaged.json").write_text("{")
    return Server(start_server("--data", data))
