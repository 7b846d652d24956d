"""The machine of a user who copies what the portal shows, with no earlier configuration."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from cloudrepo_server.clients.snippets import PACKAGE, PASSPHRASE
from pytest_cloudrepo._programs.command import run
from pytest_cloudrepo._programs.result import CommandResult

SECONDS = 240.0


class Workstation:
    """A home folder, a project folder, an active virtual environment, and a shell."""

    def __init__(self, folder: Path, passphrase: str, package: str, app_data: Path) -> None:
        self.home, self.project, self.venv = folder / "home", folder / "project", folder / "venv"
        self.home.mkdir()
        self.project.mkdir()
        self._passphrase = passphrase
        self._package = package
        self._app_data = app_data

    def make_venv(self) -> None:
        """Create the virtual environment, with pip in it."""
        run(
            [
                *(sys.executable, "-m", "virtualenv", "--no-periodic-update", "--no-download"),
                *("--app-data", self._app_data, self.venv),
            ],
            environ=self._environ(),
            timeout=SECONDS,
        )

    def write(self, file: str, text: str) -> None:
        """Append a text to a file at the path that the portal shows."""
        path = self.home / file[2:] if file.startswith("~/") else self.project / file
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(before + self._replace_placeholders(text), encoding="utf-8")

    def run(self, commands: str, *, check: bool = True, path: Path | None = None) -> CommandResult:
        """Run commands in a shell; `path` is a further folder of its PATH."""
        bash = shutil.which("bash")
        assert bash is not None, "these tests need bash"
        result = run(
            [bash, "-euc", self._replace_placeholders(commands)],
            environ=self._environ(path),
            cwd=self.project,
            timeout=SECONDS,
            check=False,
            secrets=[self._passphrase],
        )
        assert result.ok or not check, result.output
        return result

    def _replace_placeholders(self, text: str) -> str:
        return text.replace(PASSPHRASE, self._passphrase).replace(PACKAGE, self._package)

    def _environ(self, path: Path | None = None) -> dict[str, str]:
        folders = [self.venv / "bin", Path(sys.executable).parent, Path("/usr/bin"), Path("/bin")]
        # Settings of certificate authorities do not configure a package index, so they are kept.
        certificates = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "SYSTEMROOT")
        return {
            **{name: os.environ[name] for name in certificates if name in os.environ},
            "HOME": str(self.home),
            "PATH": os.pathsep.join(map(str, ([] if path is None else [path]) + folders)),
            "VIRTUAL_ENV": str(self.venv),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "PIP_NO_INPUT": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        }
