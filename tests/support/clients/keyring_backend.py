"""A keyring that holds one login, read from a file; runs in the clients' environments."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.credentials import Credential, SimpleCredential
from keyring.errors import PasswordSetError


class Keyring(KeyringBackend):
    """The keyring."""

    priority: ClassVar[float] = 1

    def get_password(self, service: str, username: str | None) -> str | None:
        """The passphrase, if it is asked for under one of its names."""
        held = json.loads(Path(os.environ["KEYRING_FILE"]).read_text("utf-8"))
        if service not in held["services"] or username not in {None, held["username"]}:
            return None
        return str(held["password"])

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """The login, likewise."""
        password = self.get_password(service, username)
        if password is None:
            return None
        held = json.loads(Path(os.environ["KEYRING_FILE"]).read_text("utf-8"))
        return SimpleCredential(held["username"], password)

    def set_password(self, service: str, username: str, _password: str) -> None:
        """Take nothing."""
        raise PasswordSetError(f"{service} {username}: this keyring is only read from")
