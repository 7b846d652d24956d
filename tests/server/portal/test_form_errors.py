"""A rejected form shows all of its errors at once, each at its field, and keeps what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import pytest

from tests.support.archives import wheel
from tests.support.index import Index
from tests.support.portal.browser import Browser, Page
from tests.support.portal.routes import portal_routes

LONG_PASSPHRASE = "an invalid passphrase " + "x" * 1024
REPOSITORY = "/portal/repositories/{repository}"
PROJECT = f"{REPOSITORY}/projects/{{project}}"
LONG_REASON = "x" * 1025
# Fields with a fixed list of choices. After an error, the form does not show an unknown choice.
CHOICES = frozenset(
    {
        *("dialect", "rules", "strategy", "status", "files", "logins", "anonymous"),
        *("no_login_status", "no_access_status"),
    }
)


@dataclass(frozen=True, slots=True)
class Case:
    """A form, invalid values of its fields, and a part of the message of each field."""

    route: str
    values: Mapping[str, str]
    messages: Mapping[str, str]
    status: int = 400
    page: str = ""
    """The route of the page with the form, if it differs from the route of the form."""
    secret: str = field(default="passphrase", repr=False)
    """The name of the field that is never shown again."""


CASES = [
    Case(
        "/portal/create-repository",
        {"name": "Not Valid", "max_file_size": "many", "dialect": "klingon", "rules": "none such"},
        {
            "name": "is not a valid repository name",
            "dialect": "Unknown dialect",
            "rules": "Unknown rules",
            "max_file_size": "enter a whole number",
        },
    ),
    Case(
        f"{PROJECT}/status",
        {"status": "unknown", "reason": LONG_REASON},
        {"status": "use one of", "reason": "the limit is 1024 characters"},
        page=PROJECT,
    ),
    Case(f"{PROJECT}/delete", {"name": "another"}, {"name": "The name does not match"}),
    *(
        Case(f"{path}/yank", {"reason": LONG_REASON}, {"reason": "the limit is 1024 characters"})
        for path in (
            PROJECT,
            f"{PROJECT}/releases/{{version}}",
            f"{REPOSITORY}/files/{{filename}}",
        )
    ),
    Case(
        f"{REPOSITORY}/settings",
        {
            **dict.fromkeys(("logins", "anonymous", "dialect", "rules", "files"), "klingon"),
            **dict.fromkeys(("no_login_status", "no_access_status"), "klingon"),
            "max_file_size": "-1",
            "private_projects": "acme-* *",
        },
        {
            "logins": "Unknown choice 'klingon': use one of known, any.",
            "anonymous": "Unknown choice 'klingon': use one of nothing, read, upload.",
            "no_login_status": "Unknown status 'klingon': use one of default, 40",
            "no_access_status": "Unknown status 'klingon': use one of default, 40",
            "rules": "use one of",
            "files": "use one of",
            "private_projects": "'*' is neither the name of a project nor a prefix",
            "dialect": "use one of",
            "max_file_size": "enter a whole number",
        },
    ),
    Case(f"{REPOSITORY}/delete", {"name": "another"}, {"name": "The name does not match."}),
    Case(
        f"{REPOSITORY}/upstreams",
        {"upstream": "nowhere\nftp://example.com", "strategy": "x", "origins": "y\nz"},
        {
            "upstream": "'ftp://example.com' is not a valid URL of an index",
            "strategy": "must be one of",
            "origins": "'z' in upstream_file_origins is not an origin",
        },
    ),
    Case(
        f"{REPOSITORY}/faults",
        {"kind": "status", "status": "9", "times": "x", "keep": "1", "headers": "no colon"},
        {
            "headers": "Invalid header",
            "status": "from 200 to 599",
            "keep": "has no keep",
            "times": "of 1 or more",
        },
    ),
    Case(
        f"{REPOSITORY}/impersonations",
        {"urls": "ftp://a.example\nhttp://", "allow": "http://b.example\n::::"},
        {"urls": "'http://' is not an http or https URL.", "allow": "'::::' is not a host name"},
    ),
    Case(
        f"{REPOSITORY}/publishers",
        {"publisher": "nobody", "project": "-demo-"},
        {"publisher": "is not a trusted publisher", "project": "is not a valid project name"},
    ),
    Case(
        "/portal/create-user",
        {"email": "no body", "passphrase": LONG_PASSPHRASE},
        {"email": "is not a valid e-mail address", "passphrase": "8 to 1024 characters"},
    ),
    Case(
        "/portal/users/{email}/passphrase",
        {"passphrase": LONG_PASSPHRASE},
        {"passphrase": "8 to 1024 characters"},
        page="/portal/users/{email}",
    ),
    Case(
        "/portal/tokens",
        {"name": "x" * 101, "lifetime": "date", "expires_on": "tomorrow"},
        {"name": "at most 100 characters", "expires_on": "Invalid date"},
    ),
    Case(
        "/portal/sign-in",
        {"username": "", "password": ""},
        {"username": "Enter your user name.", "password": "Enter your password."},
        secret="password",
    ),
]

OTHER_FORMS = {
    "/portal/damaged/delete",
    "/portal/sign-out",
    "/portal/tokens/{token}/revoke",
    "/portal/users/{email}/rights",
    "/portal/users/{email}/revoke",
    f"{REPOSITORY}/faults/{{fault}}/remove",
    f"{REPOSITORY}/files/{{filename}}/unyank",
    f"{REPOSITORY}/files/{{filename}}/delete",
    f"{PROJECT}/unyank",
    f"{PROJECT}/releases/{{version}}/unyank",
    f"{PROJECT}/releases/{{version}}/delete",
    f"{REPOSITORY}/impersonations/{{impersonation}}/remove",
    f"{REPOSITORY}/publishers/{{publisher}}/remove",
    f"{REPOSITORY}/upload",
}
"""The forms with at most one field that can be wrong. Other tests submit them."""


def element(page: Page, field: str) -> Mapping[str, str]:
    """Return the attributes of a field."""
    found = [
        attributes
        for tag, attributes in page.elements
        if attributes.get("id") == field.replace("_", "-")
    ]
    assert len(found) == 1, (field, found)
    return found[0]


def test_every_form_with_several_fields_is_tested() -> None:
    tested = {case.route for case in CASES}
    forms = {route.path for route in portal_routes() if route.method == "POST"}
    assert forms == tested | OTHER_FORMS


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.route)
def test_all_errors_of_a_form_are_shown_at_their_fields(
    anonymous: Browser, index: Index, case: Case
) -> None:
    browser = anonymous
    if case.route != "/portal/sign-in":
        browser.sign_in(*browser.server.admin)
    if "{project}" in case.route or "{filename}" in case.route:
        index.publish(wheel())
    fill = {
        "repository": index.name,
        "email": quote(index.username, safe=""),
        "project": "demo",
        "version": "1.0",
        "filename": wheel().filename,
    }
    route, shown = case.route.format(**fill), (case.page or case.route).format(**fill)
    page = browser.submit(shown, route, case.values, status=case.status)

    summary = page.all("div", id="form-errors")
    assert [each["role"] for each in summary] == ["alert"]
    links = [each["href"] for each in page.all("a") if each["href"].startswith("#")]
    for name, message in case.messages.items():
        identifier = name.replace("_", "-")
        assert f"#{identifier}" in links
        # The message is in the summary and at the field.
        assert page.text.count(message) >= 2, (name, page.text)
        described = element(page, name)["aria-describedby"].split()
        assert f"{identifier}-error" in described
        for each in described:
            element(page, each)
        if element(page, name).get("name"):
            assert element(page, name)["aria-invalid"] == "true"
    invalid = [each for _, each in page.elements if "aria-invalid" in each]
    assert {each["name"] for each in invalid} <= set(case.messages)
    assert "<title>Error: " in page.response.text

    kept = page.form(route).fields
    for name, value in case.values.items():
        if name == case.secret:
            assert kept[name] == ""
            assert not value or value not in page.response.text
        elif name in kept and name not in CHOICES:
            assert kept[name] == value
