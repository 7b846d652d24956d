"""The commands that start the compared servers, and the files that each server needs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.table import BY_HAND, DEVPI, HTTP_SERVER, NGINX, OURS, PYPISERVER

Command = Sequence[str | Path]

_PYTHON = (sys.executable, "-m")
# Cheap password hashes, as in devpi-server's own tests. The default is ten times as slow.
CHEAP_HASHES = (
    "--argon2-memory-cost",
    "8",
    "--argon2-parallelism",
    "1",
    "--argon2-time-cost",
    "1",
)
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
    """Return the names of the servers that can be measured on this machine.

    nginx has to be installed separately. The dependency group `benchmark` contains the others.
    """
    names = [OURS, PYPISERVER, DEVPI, HTTP_SERVER]
    return [*names, NGINX] if shutil.which("nginx", path=_search_path()) else names


def prepare(
    name: str,
    folder: Path,
    port: int,
    state: Path,
    *,
    threads: bool,
    environ: Mapping[str, str],
) -> Command:
    """Create the files that the server needs in its folder; return the command that starts it."""
    files = folder / "files"
    files.mkdir(exist_ok=True)
    if name == OURS:
        return [*_PYTHON, "cloudrepo_server", "serve", "--state-file", state]
    if name == PYPISERVER:
        # Accept uploads without credentials, and do not redirect to a public index.
        options = ["--passwords", ".", "--authenticate", ".", "--overwrite", "--disable-fallback"]
        options += ["--server", "gunicorn" if threads else "wsgiref"]
        listen = ["--port", str(port), "--interface", "127.0.0.1"]
        return [*_PYTHON, "pypiserver", "run", *listen, *options, files]
    if name == HTTP_SERVER:
        listen = [str(port), "--bind", "127.0.0.1"]
        return [*_PYTHON, "http.server", *listen, "--directory", files]
    if name == BY_HAND:
        return [*_PYTHON, "benchmarks.minimal_server", folder]
    if name == DEVPI:
        return _devpi(folder, port, environ)
    if name == NGINX:
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(folder=folder, port=port, files=files))
        program = shutil.which("nginx", path=_search_path())
        if program is None:
            raise RuntimeError(
                "these figures require nginx: install it (apt-get install nginx-light)"
            )
        return [program, "-p", folder, "-c", configuration]
    raise ValueError(f"unknown server {name!r}")


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
    return [scripts / "devpi-server", "--serverdir", data, *listen, *CHEAP_HASHES]


def _search_path() -> str:
    # Debian installs nginx in a folder that is on the PATH of root only.
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
