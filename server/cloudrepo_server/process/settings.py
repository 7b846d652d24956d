"""The settings of one server process."""

from dataclasses import dataclass, field
from pathlib import Path

from cloudrepo_server.domain.passphrases import generate_passphrase
from cloudrepo_server.limits import Limits
from cloudrepo_server.logs import LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The options of `cloudrepo-server serve`, and the admin credentials."""

    host: str = "127.0.0.1"
    port: int = 0
    """The port to listen on; 0 means a free port."""
    data: Path | str | None = None
    """A folder, the URL of a shared object store, or None for a temporary folder."""
    presigned: bool = False
    """Whether downloads of large files are redirected to the shared object store."""
    organization: str = "example"
    state_file: Path | None = None
    owner_pid: int | None = None
    owner_folders: tuple[Path, ...] = ()
    tls: Path | None = None
    """The file to write the CA certificate to; None means no HTTPS."""
    drain: float = 0.0
    """How many seconds a stopping server still accepts requests, while `/readyz` returns 503."""
    grace: float = 0.0
    """How many seconds requests in flight may take to finish, after `drain`."""
    log_format: LogFormat | None = None
    """The format in which every request is logged; None logs rejected requests only, as text."""
    behind_proxy: bool = False
    """Whether X-Forwarded-Proto, X-Forwarded-Prefix and X-Forwarded-For are trusted."""
    files_url: str | None = None
    """The URL at which clients reach this server under another host name, for files."""
    metrics: bool = False
    """Whether Prometheus metrics are served."""
    prepare_portal: bool = False
    """Whether to import the portal while the server is idle, before its first page."""
    limits: Limits = field(default_factory=Limits)
    print_credentials: bool = False
    """Whether to print the admin credentials, because no file or variable contains them."""
    admin_username: str = "admin@example.com"
    admin_password: str = field(default_factory=generate_passphrase, repr=False)
