"""Hashes of passphrases: each states its cost, so a higher cost locks nobody out."""

from __future__ import annotations

import asyncio
import base64
import hashlib

import pytest

from cloudrepo_server.domain import passphrases
from cloudrepo_server.domain.organization import Organization
from cloudrepo_server.domain.passphrases import PassphraseHasher, ScryptCost, hash_generated
from cloudrepo_server.errors import StorageError
from cloudrepo_server.keys import user_key
from cloudrepo_server.models import UserDocument
from cloudrepo_server.storage.local import LocalStorage

PASSPHRASE = "correct horse battery staple"
HIGHER_COST = ScryptCost(n=1 << 15, r=8, p=2)


def hash_without_cost(passphrase: str) -> str:
    """Return a hash in the format of early versions."""
    salt = b"0123456789abcdef"
    key = hashlib.scrypt(passphrase.encode(), salt=salt, n=1 << 14, r=8, p=1)
    return f"scrypt${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def matches(passphrase: str, stored: str) -> bool:
    return asyncio.run(PassphraseHasher().matches(passphrase, stored, user="ann"))


def test_a_hash_of_a_chosen_passphrase_states_its_cost() -> None:
    stored = asyncio.run(PassphraseHasher().hash_chosen(PASSPHRASE))
    assert stored.startswith("scrypt$16384$8$1$")
    assert matches(PASSPHRASE, stored)
    assert not matches(PASSPHRASE + "x", stored)


def test_a_hash_of_a_generated_passphrase_is_verified() -> None:
    assert matches(PASSPHRASE, hash_generated(PASSPHRASE))
    assert not matches(PASSPHRASE + "x", hash_generated(PASSPHRASE))


def test_a_hash_without_a_cost_is_still_verified() -> None:
    assert matches(PASSPHRASE, hash_without_cost(PASSPHRASE))
    assert not matches(PASSPHRASE + "x", hash_without_cost(PASSPHRASE))


def test_hashes_stay_valid_when_the_cost_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    old = asyncio.run(PassphraseHasher().hash_chosen(PASSPHRASE))
    monkeypatch.setattr(passphrases, "COST", HIGHER_COST)
    new = asyncio.run(PassphraseHasher().hash_chosen(PASSPHRASE))
    assert new.startswith("scrypt$32768$8$2$")
    for stored in (old, new, hash_without_cost(PASSPHRASE)):
        assert matches(PASSPHRASE, stored)
        assert not matches(PASSPHRASE + "x", stored)


@pytest.mark.parametrize("stored", ["", "plain", "argon2$1$2$3", "scrypt$16384$8$1$salt"])
def test_a_hash_in_an_unknown_format_is_an_error(stored: str) -> None:
    with pytest.raises(StorageError, match="of the user ann has an unknown format"):
        matches(PASSPHRASE, stored)


def test_a_user_with_a_hash_of_an_early_version_can_log_in() -> None:
    async def scenario() -> None:
        storage = LocalStorage.in_memory()
        organization = Organization("example", storage, admin_username="a", admin_password="b")
        user, _ = await organization.users.create("user@example.com", passphrase="another one")
        old = UserDocument(
            email=user.email, passphrase=hash_without_cost(PASSPHRASE), created=user.created
        )
        await storage.change(user_key(user.email), UserDocument, lambda _: old)
        assert await organization.users.verify(user.email, PASSPHRASE) is not None
        assert await organization.users.verify(user.email, "another one") is None
        await organization.close()

    asyncio.run(scenario())
