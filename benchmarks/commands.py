"""How each of the servers that are compared is set up and started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.table import BY_HAND, DEVPI, HTTP_SERVER, NGINX, OURS, PYPISERVER

Command = Sequence[str | Path]

_PYTHON = (sys.executable, "-m")
# With the passwords' cost that its own tests use: as shipped, it is ten times as slow.
_LIGHT = ("--argon2-memory-cost", "8", "--argon2-parallelism", "1", "--argon2-time-cost", "1")
_NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    default_type text/html; access_log off; sendfile on; tcp_nopush on;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; root {files}; index index.html; }}
}}
"""


def servers() -> list[str]:
    """The servers on this machine; all but nginx come with the group `benchmark`."""
    found = [OURS, PYPISERVER, DEVPI, HTTP_SERVER]
    return [*found, NGINX] if shutil.which("nginx", path=_search_path()) else found


def prepare(
    name: str,
    folder: Path,
    port: int,
    state: Path,
    *,
    threads: bool,
    environ: Mapping[str, str],
) -> Command:
    """Make what the server needs in its folder; the answer is the command that starts it."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    if name == OURS:
        return [*_PYTHON, "cloudrepo_server", "serve", "--state-file", state]
    if name == PYPISERVER:
        # Uploads without a login, and no redirect to a public index.
        options = ["--passwords", ".", "--authenticate", ".", "--overwrite", "--disable-fallback"]
        options += ["--server", "gunicorn" if threads else "wsgiref"]
        listen = ["--port", str(port), "--interface", "127.0.0.1"]
        return [*_PYTHON, "pypiserver", "run", *listen, *options, files]
    if name == HTTP_SERVER:
        listen = [str(port), "--bind", "127.0.0.1"]
        return [*_PYTHON, "http.server", *listen, "--directory", files]
    if name == BY_HAND:
        return [*_PYTHON, "benchmarks.floor", folder]
    if name == DEVPI:
        return _devpi(folder, port, environ)
    if name == NGINX:
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, files=files))
        program = shutil.which("nginx", path=_search_path())
        if program is None:
            raise RuntimeError("these figures need nginx: install it (apt-get install nginx-light)")
        return [program, "-p", folder, "-c", configuration]
    raise ValueError(f"there is no peer {name}")


def _devpi(folder: Path, port: int, environ: Mapping[str, str]) -> Command:
    data = folder / "devpi"
    scripts = Path(sys.executable).parent
    init: Command
    if not data.exists():
        init = [scripts / "devpi-init", "--serverdir", data, "--no-root-pypi", "--root-passwd", ""]
        subprocess.run(
            init,
            env=environ,
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    listen = ["--host", "127.0.0.1", "--port", str(port), "--offline-mode"]
    return [scripts / "devpi-server", "--serverdir", data, *listen, *_LIGHT]


def _search_path() -> str:
    # Debian puts it where only root looks.
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
