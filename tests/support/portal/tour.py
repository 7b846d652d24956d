"""The example organization of the portal tour, and the pictures of it in the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.archives import Archive, core_metadata, sdist, wheel
from tests.support.index import Index, Server
from tests.support.process import ServerProcess

if TYPE_CHECKING:
    from playwright.sync_api import Page

DESKTOP, PHONE = 1040, 390
ADMIN, ADMIN_PASSWORD = "admin@acme.example", "a password for the tour"
PUBLISHER, DEVELOPER, READER = (
    f"{name}@acme.example" for name in ("release-bot", "ada.lovelace", "deploy")
)
PASSPHRASE = "a passphrase for the tour"

PIP = (
    'pip/25.3 {"ci":true,"cpu":"x86_64","distro":{"name":"Debian GNU/Linux","version":"13"},'
    '"implementation":{"name":"CPython","version":"3.13.5"},"python":"3.13.5"}'
)
TWINE = "twine/6.2.0 CPython/3.13.5"
UV = 'uv/0.9.8 {"installer":{"name":"uv","version":"0.9.8"},"python":"3.13.5","ci":true}'

README = """\
# weather-station

Read temperature, wind and rain from a **weather station**.

```python
from weather_station import Station

with Station("/dev/ttyUSB0") as station:
    print(station.temperature)
```

| Model | Temperature | Wind | Rain |
|-------|-------------|------|------|
| WS-1  | yes         | no   | no   |
| WS-2  | yes         | yes  | yes  |
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of one page of the portal."""

    name: str
    path: str
    text: str
    """A text that the page must show."""
    width: int = DESKTOP
    max_height: int = 760
    """Where a long page is cut off."""
    prepare: Callable[[Page], None] | None = None
    """What to do on the page before the picture is taken."""


def _reject_an_upload(page: Page) -> None:
    changed = _wheel("weather-station", "1.1.0", padding=10_000)
    page.get_by_label("Files").set_input_files(
        {"name": changed.filename, "mimeType": "application/zip", "buffer": changed.data}
    )
    page.get_by_role("button", name="Upload", exact=True).click()


def _create_user(page: Page) -> None:
    page.get_by_label("User name").fill("grace.hopper@acme.example")
    page.get_by_role("button", name="Create user").click()


def _create_token(page: Page) -> None:
    page.get_by_label("Repository").select_option("releases")
    page.get_by_role("button", name="Create token").click()


def _wait_until_live(page: Page) -> None:
    page.get_by_text("Live", exact=True).wait_for()


def _open_request(page: Page) -> None:
    page.get_by_role("link", name="rain-radar").click()


_RELEASES = "/portal/repositories/releases"

SIGN_IN = Picture("sign-in", "/portal/sign-in", "Only the admin user can sign in")
PICTURES = (
    Picture(
        "requests",
        "/portal/requests",
        "overwrite protection is on",
        prepare=_wait_until_live,
        max_height=800,
    ),
    Picture("request", f"{_RELEASES}/requests?q=rain-radar", "Python", prepare=_open_request),
    Picture(
        "requests-phone",
        "/portal/requests",
        "overwrite protection is on",
        width=PHONE,
        prepare=_wait_until_live,
        max_height=800,
    ),
    Picture("repositories", "/portal/", "Latest uploads"),
    Picture("repositories-phone", "/portal/", "Latest uploads", width=PHONE),
    Picture("repository", _RELEASES, "weather-station"),
    Picture("project", f"{_RELEASES}/projects/weather-station", "README of 1.1.0", max_height=880),
    Picture(
        "project-phone",
        f"{_RELEASES}/projects/weather-station",
        "README of 1.1.0",
        width=PHONE,
    ),
    Picture(
        "release",
        f"{_RELEASES}/projects/weather-station/releases/1.1.0",
        "pyserial",
        max_height=1000,
    ),
    Picture(
        "differences",
        f"{_RELEASES}/projects/weather-station/compare?old=1.0.0&new=1.1.0",
        "Changed",
        max_height=1000,
    ),
    Picture("upload", f"{_RELEASES}/upload", "1 file rejected", prepare=_reject_an_upload),
    Picture(
        "connection-settings",
        f"{_RELEASES}/connection?user={PUBLISHER}",
        "YOUR-PASSPHRASE",
        max_height=1100,
    ),
    Picture("repository-settings", f"{_RELEASES}/settings", "Overwrite Protection", max_height=630),
    Picture("search", "/portal/search?q=weather", "open-source", max_height=640),
    Picture("changes", "/portal/audit", "The newest changes are listed"),
    Picture("users", "/portal/users", "Read Only"),
    Picture(
        "create-user",
        "/portal/create-user",
        "not shown again",
        prepare=_create_user,
        max_height=716,
    ),
    Picture("tokens", "/portal/tokens", "not shown again", prepare=_create_token),
)
"""The pictures that need a sign-in, in the order in which they are taken."""


@contextmanager
def example_server(folder: Path) -> Iterator[Server]:
    """Run a server with the example organization."""
    environ = {"CLOUDREPO_ADMIN_USERNAME": ADMIN, "CLOUDREPO_ADMIN_PASSWORD": ADMIN_PASSWORD}
    process = ServerProcess(folder, "--organization", "acme", environ=environ)
    try:
        server = Server(process)
        _fill(server)
        yield server
        server.close()
    finally:
        process.stop()


def _fill(server: Server) -> None:
    server.session.headers["User-Agent"] = TWINE
    server.api_json("POST", "/repositories", {"name": "releases", "overwrite_protection": True})
    server.api_json("POST", "/repositories", {"name": "nightly"})
    server.api_json("POST", "/repositories", {"name": "like-pypi", "dialect": "pypi"})
    server.api_json("POST", "/repositories", {"name": "open-source", "public": True})
    for email in (PUBLISHER, DEVELOPER):
        server.user(email=email, passphrase=PASSPHRASE)
    server.user(email=READER, passphrase=PASSPHRASE, read_only=True)
    server.api_json("POST", "/tokens", {"repository": "nightly", "read_only": True})

    releases = Index(server, "releases", PUBLISHER, PASSPHRASE)
    developer = {
        name: Index(server, name, DEVELOPER, PASSPHRASE)
        for name in ("like-pypi", "open-source", "nightly")
    }
    _publish(developer["open-source"], _wheel("weather-plot", "0.4"), days=30)
    _publish(developer["like-pypi"], _wheel("weather-station", "2.0.0rc1"), days=2)
    _publish(releases, _wheel("rain-gauge", "0.9.2"), days=210)
    _publish(releases, _wheel("wind-models", "2024.6"), days=95)
    _publish(releases, _wheel("barometer", "3.2"), days=400)
    _publish(releases, _wheel("weather-station", "1.0.0"), days=120)
    _publish(releases, _sdist("weather-station", "1.0.0"), days=120)
    _publish(releases, _wheel("weather-station", "1.1.0"), days=9)
    _publish(releases, _sdist("weather-station", "1.1.0"), days=9)
    _publish(releases, _wheel("weather-station", "2.0.0rc1"))
    yanked = _wheel("weather-station", "1.0.0").filename
    releases.api_json("PATCH", f"/files/{yanked}", {"yanked": "Reports temperatures in Kelvin."})
    releases.api_json(
        "PATCH",
        "/projects/barometer",
        {"status": "deprecated", "reason": "Use weather-station instead."},
    )
    _publish(developer["nightly"], _wheel("weather-station", "2.0.0.dev41"))

    reader = Index(server, "releases", READER, PASSPHRASE)
    installed = _wheel("weather-station", "1.1.0")
    reader.get("/weather-station/", User_Agent=PIP)
    reader.get(f"/weather-station/{installed.filename}.metadata", User_Agent=PIP)
    reader.get(f"/weather-station/{installed.filename}", User_Agent=PIP)
    reader.api_json("POST", "/faults", {"kind": "status", "status": 503, "times": 1})
    reader.get("/wind-models/", User_Agent=UV)
    reader.set(upstream=["nightly"])
    reader.get("/rain-radar/", User_Agent=PIP)
    reader.upload(_wheel("weather-station", "1.2.0"))
    reader.request("GET", "/", auth=None)
    releases.upload(_wheel("weather-station", "1.1.0", padding=10_000))


def _publish(index: Index, archive: Archive, *, days: int = 0) -> None:
    """Publish a file, as if it had been uploaded some days ago."""
    index.publish(archive)
    if days:
        uploaded = datetime.now(UTC) - timedelta(days=days, hours=1)
        index.api_json(
            "PATCH",
            f"/files/{archive.filename}",
            {"upload_time": f"{uploaded:%Y-%m-%dT%H:%M:%S.%fZ}"},
        )


MODULES = {
    "1.0.0": """\
\"\"\"Reads a weather station.\"\"\"

KELVIN = 273.15


def temperature(measured):
    \"\"\"Return the temperature.\"\"\"
    return measured + KELVIN
""",
    "1.1.0": """\
\"\"\"Reads a weather station.\"\"\"


def temperature(measured):
    \"\"\"Return the temperature in degrees Celsius.\"\"\"
    return measured


def wind(turns, seconds):
    \"\"\"Return the speed of the wind in metres per second.\"\"\"
    return 2.4 * turns / seconds
""",
}
"""The module of releases of the project weather-station."""

METADATA = """\
Summary: Read a weather station
License-Expression: MIT
Author-email: Ada Lovelace <ada.lovelace@acme.example>
Keywords: weather,temperature,wind,rain
Project-URL: Documentation, https://weather-station.acme.example
Project-URL: Source, https://git.acme.example/weather-station
Classifier: Development Status :: 5 - Production/Stable
Classifier: Programming Language :: Python :: 3
Classifier: Topic :: Scientific/Engineering :: Atmospheric Science
Requires-Dist: pyserial>=3.5
Requires-Dist: wind-models>=2024.6
Requires-Dist: weather-plot>=0.4 ; extra == "plot"
Provides-Extra: plot
Description-Content-Type: text/markdown

"""


def _metadata(name: str, version: str) -> bytes:
    more = METADATA + README if name == "weather-station" else ""
    return core_metadata(name, version, requires_python=">=3.11", more=more)


def _wheel(name: str, version: str, *, padding: int = 48_000) -> Archive:
    module = MODULES.get(version, "x = 1\n") if name == "weather-station" else "x = 1\n"
    metadata = _metadata(name, version)
    return wheel(name, version, metadata=metadata, module=module, padding=padding)


def _sdist(name: str, version: str) -> Archive:
    return sdist(name, version, metadata=_metadata(name, version))
