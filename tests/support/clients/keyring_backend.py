"""A keyring with one login, which it reads from a file. It runs in the clients' environments."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.credentials import Credential, SimpleCredential
from keyring.errors import PasswordSetError


class Keyring(KeyringBackend):
    """A read-only keyring with one login for several service names."""

    priority: ClassVar[float] = 1

    def get_password(self, service: str, username: str | None) -> str | None:
        """Return the passphrase, if the service and the user name are those of the login."""
        login = json.loads(Path(os.environ["KEYRING_FILE"]).read_text("utf-8"))
        if service not in login["services"] or username not in {None, login["username"]}:
            return None
        return str(login["password"])

    def get_credential(self, service: str, username: str | None) -> Credential | None:
        """Return the user name and the passphrase, under the same conditions."""
        password = self.get_password(service, username)
        if password is None:
            return None
        login = json.loads(Path(os.environ["KEYRING_FILE"]).read_text("utf-8"))
        return SimpleCredential(login["username"], password)

    def set_password(self, service: str, username: str, _password: str) -> None:
        """Reject every change."""
        raise PasswordSetError(f"cannot store {username} for {service}: this keyring is read-only")
