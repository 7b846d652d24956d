"""The clients under test, each with the oldest and the newest Python that can run it."""

from __future__ import annotations

from typing import Final

from tests.support.clients.client import NEWEST, Client

TWINES: Final = (
    Client("twine", "1.15.0", "2.7", "3.9"),
    Client("twine", "3.8.0", "3.6", "3.11"),
    Client("twine", "4.0.2", "3.7", "3.12"),
    Client("twine", "5.1.1", "3.8"),
    Client("twine", "6.1.0", "3.8"),
    Client("twine", NEWEST, "3.10"),
)
UV: Final = Client("uv", NEWEST, "3.8")
POETRY: Final = Client("poetry", NEWEST, "3.10")
PDM: Final = Client(
    "pdm",
    NEWEST,
    "3.10",
    # pdm imports names that hishel 2 removed.
    additional=("hishel<2", "keyring"),
    # pdm requires a certifi so new that mirrors may not have it. No test here uses https.
    unconstrained=("certifi",),
)
HATCH: Final = Client("hatch", NEWEST, "3.10")
FLIT: Final = Client("flit", NEWEST, "3.8", additional=("keyring",))

PIPS: Final = (
    # Up to 20.3, pip imports from collections what Python 3.10 moved to collections.abc.
    Client("pip", "9.0.3", "2.7", "3.9"),
    Client("pip", "10.0.1", "2.7", "3.9"),
    Client("pip", "18.1", "2.7", "3.9"),
    Client("pip", "19.3.1", "2.7", "3.9"),
    Client("pip", "20.3.4", "2.7", "3.9"),
    Client("pip", "21.3.1", "3.6", "3.11"),
    Client("pip", "22.3.1", "3.7", "3.11"),
    Client("pip", "23.3.2", "3.7"),
    Client("pip", "24.3.1", "3.8"),
    Client("pip", "25.3", "3.9"),
    Client("pip", NEWEST, "3.10"),
)
INSTALLERS: Final = (PIPS[-1], UV, POETRY, PDM)
"""The current installers that request pages and files themselves."""
PIPENV: Final = Client("pipenv", NEWEST, "3.10")
PIP_TOOLS: Final = Client("pip-tools", NEWEST, "3.9")
PIPX: Final = Client("pipx", NEWEST, "3.11")
PEX: Final = Client("pex", NEWEST, "3.6")

CLOUDREPO_MIGRATE: Final = Client("cloudrepo-migrate", NEWEST, "3.8")
KEYRING: Final = Client("keyring", NEWEST, "3.9")
