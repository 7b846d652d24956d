"""An admin user's work in a real browser and with real clients."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.archives import wheel
from tests.support.index import Server
from tests.support.portal.chromium import sign_in
from tests.support.portal.connection import PACKAGE, WHEEL
from tests.support.portal.workstation import Workstation
from tests.support.shown_output import shows_status

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import BrowserContext, Page

PASSPHRASE = "correct-horse-battery"
CHANGED_WHEEL = wheel(PACKAGE, "1.0", module="x = 2\n")


@dataclass(frozen=True, slots=True)
class Portal:
    """The portal in Chromium."""

    page: Page
    server: Server

    def open(self, path: str = "/") -> Page:
        self.page.goto(self.server.url + path)
        return self.page

    def sign_in(self) -> Page:
        sign_in(self.page, self.server.url, self.server.admin)
        return self.page

    def sign_out(self) -> None:
        self.page.locator("details.menu > summary").click()
        self.click_button("Sign out")

    def click_link(self, name: str) -> Page:
        self.page.get_by_role("link", name=name, exact=True).click()
        return self.page

    def click_button(self, name: str) -> Page:
        self.page.get_by_role("button", name=name, exact=True).click()
        return self.page

    def wait_for_text(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def upload(self, path: Path) -> None:
        self.page.get_by_label("Files").set_input_files(path)
        self.click_button("Upload")

    def copy(self, name: str) -> str:
        """Click a copy button, and return the text on the clipboard."""
        button = self.page.get_by_role("button", name=name, exact=True)
        button.click()
        # The button changes once the text is on the clipboard.
        self.page.locator("button.copy", has_text="Copied").wait_for()
        text = str(self.page.evaluate("navigator.clipboard.readText()"))
        self.page.locator("button.copy", has_text="Copied").wait_for(state="detached")
        return text


@pytest.fixture
def context(chromium: Chromium) -> Iterator[BrowserContext]:
    context = chromium.new_context()
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    yield context
    context.close()


@pytest.fixture
def portal(own_server: Server, context: BrowserContext) -> Iterator[Portal]:
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    yield Portal(page, own_server)
    # Chromium logs every response with an error status, such as a rejected upload.
    assert not [text for text in errors if not text.startswith("Failed to load resource")]


@pytest.fixture
def workstation(tmp_path: Path, app_data: Path) -> Workstation:
    workstation = Workstation(tmp_path, PASSPHRASE, PACKAGE, app_data)
    (workstation.project / "dist").mkdir()
    workstation.make_venv()
    return workstation


def build(workstation: Workstation, data: bytes) -> Path:
    """Write the wheel into the project's `dist`, with some content."""
    path = workstation.project / "dist" / WHEEL.filename
    path.write_bytes(data)
    return path


def installed_value(workstation: Workstation) -> int:
    """Return the constant that the installed module defines."""
    return int(
        workstation.run("python -c 'import cloudrepo_portal_demo as demo; print(demo.x)'").stdout
    )


def create_repository_and_user(portal: Portal) -> None:
    page = portal.sign_in()
    portal.wait_for_text("No repositories yet")
    page.get_by_role("link", name="Create repository").click()
    page.get_by_label("Name", exact=True).fill("releases")
    portal.click_button("Create repository")
    portal.wait_for_text("The repository releases was created.")
    portal.wait_for_text("No projects yet")
    portal.click_link("Users")
    portal.click_link("Create user")
    page.get_by_label("User name").fill("dev@example.com")
    page.get_by_label("Passphrase").fill(PASSPHRASE)
    portal.click_button("Create user")
    portal.wait_for_text("The user dev@example.com was created.")


def copy_settings(portal: Portal, workstation: Workstation) -> tuple[str, str]:
    """Copy the .pypirc, and return the commands that upload and install."""
    portal.click_link("Repositories")
    portal.click_link("releases")
    portal.click_link("Connection Settings")
    portal.click_link(".pypirc")
    portal.click_link("twine")
    portal.click_link("pip")
    workstation.write("~/.pypirc", portal.copy("Copy .pypirc: For twine, flit and setuptools"))
    upload = portal.copy("Copy twine: Upload, with the .pypirc above")
    install = portal.copy("Copy pip: Install")
    return upload, install.strip() + " --force-reinstall --no-cache-dir\n"


def check_project_and_requests(portal: Portal) -> None:
    portal.click_link("Projects")
    portal.wait_for_text("uploaded just now")
    portal.click_link(PACKAGE)
    portal.wait_for_text("by dev@example.com")
    with portal.page.expect_download() as downloading:
        portal.click_link(WHEEL.filename)
    assert downloading.value.suggested_filename == WHEEL.filename
    assert Path(downloading.value.path()).read_bytes() == WHEEL.data
    portal.page.get_by_label("releases").get_by_role("link", name="Requests").click()
    portal.wait_for_text(f"/{WHEEL.filename}")


def set_overwrite_protection(portal: Portal, *, on: bool) -> None:
    portal.open("/portal/repositories/releases/settings")
    portal.page.get_by_label("Overwrite Protection").set_checked(on)
    portal.click_button("Save settings")
    portal.wait_for_text("The settings were saved")


def upload_in_the_browser(portal: Portal, path: Path) -> None:
    portal.page.get_by_label("releases").get_by_role("link", name="Upload").click()
    portal.upload(path)


def yank_and_delete(portal: Portal) -> None:
    portal.click_link(f"Yank {WHEEL.filename}")
    portal.page.get_by_label("Reason", exact=True).fill("It is broken.")
    portal.click_button("Yank file")
    portal.wait_for_text("Yanked")
    portal.click_link(f"Unyank {WHEEL.filename}")
    portal.click_button("Undo yank")
    portal.wait_for_text("is no longer yanked")
    portal.click_link(f"Delete {WHEEL.filename}")
    portal.click_button("Delete file")
    portal.wait_for_text(f"{WHEEL.filename} was deleted.")


def revoke_user(portal: Portal) -> None:
    portal.click_link("Users")
    portal.click_link("dev@example.com")
    portal.click_link("Delete user")
    portal.click_button("Delete user")
    portal.wait_for_text("The user dev@example.com was deleted.")


def delete_repository_and_sign_out(portal: Portal) -> None:
    portal.open("/portal/repositories/releases/settings")
    portal.click_link("Delete repository")
    portal.page.get_by_label("Type releases to confirm").fill("releases")
    portal.click_button("Delete repository")
    portal.wait_for_text("The repository releases was deleted.")
    portal.sign_out()
    portal.page.wait_for_url(re.compile("/portal/sign-in$"))


def test_an_admin_user_works_from_an_empty_server_to_a_revoked_user(
    portal: Portal, workstation: Workstation
) -> None:
    create_repository_and_user(portal)
    upload, install = copy_settings(portal, workstation)
    build(workstation, WHEEL.data)
    workstation.run(upload)
    workstation.run(install)
    assert installed_value(workstation) == 1
    check_project_and_requests(portal)

    set_overwrite_protection(portal, on=True)
    upload_in_the_browser(portal, build(workstation, CHANGED_WHEEL.data))
    portal.wait_for_text(f"File already exists: {WHEEL.filename} (overwrite protection is on)")
    rejected = workstation.run(upload, check=False)
    assert not rejected.ok
    assert "already exists" in rejected.output
    workstation.run(install)
    assert installed_value(workstation) == 1

    set_overwrite_protection(portal, on=False)
    upload_in_the_browser(portal, build(workstation, CHANGED_WHEEL.data))
    portal.wait_for_text(f"{WHEEL.filename} was uploaded.")
    workstation.run(install)
    assert installed_value(workstation) == 2

    yank_and_delete(portal)
    assert not workstation.run(install, check=False).ok

    revoke_user(portal)
    rejected = workstation.run(upload, check=False)
    assert not rejected.ok
    assert shows_status(rejected.output, 401)

    delete_repository_and_sign_out(portal)


def test_a_generated_passphrase_can_be_copied(portal: Portal) -> None:
    page = portal.sign_in()
    page.goto(portal.server.url + "/portal/create-user")
    page.get_by_label("User name").fill("dev@example.com")
    portal.click_button("Create user")
    portal.wait_for_text("it is not shown again")
    passphrase = portal.copy("Copy the secret")
    repository = portal.server.repository()
    response = repository.request("GET", "/", auth=("dev@example.com", passphrase))
    assert response.status_code == 200


def test_everything_works_without_javascript(
    own_server: Server, chromium: Chromium, workstation: Workstation
) -> None:
    context = chromium.new_context(java_script_enabled=False)
    context.set_default_timeout(20_000)
    portal = Portal(context.new_page(), own_server)
    page = portal.sign_in()
    portal.open("/portal/create-repository")
    page.get_by_label("Name", exact=True).fill("plain")
    page.get_by_label("Overwrite Protection").check()
    portal.click_button("Create repository")
    portal.click_link("Upload")
    portal.upload(build(workstation, WHEEL.data))
    portal.wait_for_text(f"{WHEEL.filename} was uploaded.")
    portal.click_link("Upload")
    portal.upload(build(workstation, CHANGED_WHEEL.data))
    portal.wait_for_text("File already exists")
    portal.click_link("Connection Settings")
    assert page.locator("pre").count() > 10
    # Copy buttons need JavaScript, so they are hidden.
    assert page.locator("button.copy:visible").count() == 0
    portal.click_link("Projects")
    portal.click_link(PACKAGE)
    portal.click_link(f"Yank {WHEEL.filename}")
    portal.click_button("Yank file")
    portal.wait_for_text("Yanked")
    portal.sign_out()
    page.wait_for_url(re.compile("/portal/sign-in$"))
    context.close()


def test_the_portal_can_be_used_with_the_keyboard_alone(portal: Portal) -> None:
    # Only the environment of the browser tests has it.
    from playwright.sync_api import expect  # noqa: PLC0415

    page = portal.open()
    # The page moves the focus to the first field by itself.
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(portal.server.admin[0])
    page.keyboard.press("Tab")
    page.keyboard.type(portal.server.admin[1])
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Repositories", exact=True).wait_for()
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    assert focused.inner_text() == "Skip to content"
    assert focused.bounding_box() is not None
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    page.keyboard.type("by-keyboard")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    portal.wait_for_text("The repository by-keyboard was created.")
    assert portal.server.api_json("GET", "/repositories/by-keyboard")["overwrite_protection"]
