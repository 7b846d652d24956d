"""A browser without a screen or scripts: it keeps cookies, parses pages and submits forms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

from tests.support.archives import Archive
from tests.support.index import Server
from tests.support.raw import SECONDS
from tests.support.wait import wait_until

_VOID_ELEMENTS = {
    "area",
    "base",
    "br",
    "col",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "wbr",
}
_INVISIBLE_ELEMENTS = {"script", "style", "title", "template"}


@dataclass(slots=True)
class Form:
    """A form, with the values that a browser would submit if nothing were changed."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """A parsed page; it must have a matching end tag for every start tag."""

    def __init__(self, response: requests.Response) -> None:
        super().__init__()
        self.response = response
        self.status = response.status_code
        self.path = urlsplit(response.url).path
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[Form] = []
        self._texts: list[str] = []
        self._open: list[str] = []
        self._select: str | None = None
        self.feed(response.text)

    @property
    def text(self) -> str:
        """The visible text, with single spaces between words."""
        return " ".join(" ".join(self._texts).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """Return the attributes of every element with this tag and these attributes."""
        expected = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found
            for name, found in self.elements
            if name == tag and expected.items() <= found.items()
        ]

    def form(self, action: str | None = None) -> Form:
        """Return the form with an action, or the page's only form besides the sign-out form."""
        forms = [
            form
            for form in self.forms
            if (form.action != "/portal/sign-out" and form.method == "post")
            if action is None or form.action == action
        ]
        assert len(forms) == 1, (action, [form.action for form in self.forms], self.text)
        return forms[0]

    @property
    def sign_out(self) -> Form:
        """The form that signs out, which every page of a signed-in browser has."""
        return next(form for form in self.forms if form.action == "/portal/sign-out")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in _VOID_ELEMENTS:
            self._open.append(tag)
        if tag == "form":
            action = urlsplit(urljoin(self.response.url, attributes.get("action") or self.path))
            self.forms.append(Form(attributes.get("method", "get"), action.path))
        elif self.forms and tag in ("input", "select", "option", "textarea"):
            self._add_field(self.forms[-1], tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> has no start tag"
        assert self._open.pop() == tag, f"</{tag}> at {self.getpos()} closes another element"

    def handle_data(self, data: str) -> None:
        if not _INVISIBLE_ELEMENTS & set(self._open):
            self._texts.append(data)
        if self._open[-1:] == ["textarea"]:
            self.forms[-1].fields[self.elements[-1][1]["name"]] += data
        if self._open[-1:] == ["option"] and self._select is not None:
            form = self.forms[-1]
            option = self.elements[-1][1]
            if "selected" in option or self._select not in form.fields:
                form.fields[self._select] = option.get("value", data.strip())

    def _add_field(self, form: Form, tag: str, attributes: dict[str, str]) -> None:
        name = attributes.get("name", "")
        if tag == "select":
            self._select = name
        if tag == "textarea":
            form.fields[name] = ""
        if tag != "input" or not name:
            return
        form.names.add(name)
        if attributes.get("type") in ("checkbox", "radio"):
            if "checked" in attributes:
                form.fields[name] = attributes.get("value", "on")
        elif attributes.get("type") != "file":
            form.fields[name] = attributes.get("value", "")


class Browser:
    """A visitor of the portal, signed in or not."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        """Send one request, and follow no redirect unless an option says so."""
        merged: dict[str, object] = {"timeout": SECONDS, "allow_redirects": False, **options}
        url = urljoin(self.server.url, path)
        return self.session.request(method, url, **merged)  # type: ignore[arg-type] # requests' own options

    def get(self, path: str, status: int = 200) -> Page:
        """Return a page, after following redirects."""
        response = self.request("GET", path, allow_redirects=True)
        assert response.status_code == status, (path, response.status_code, response.text)
        return Page(response)

    def submit(
        self,
        path: str,
        action: str | None = None,
        named: Mapping[str, str] | None = None,
        /,
        *,
        status: int = 200,
        **changes: str | None,
    ) -> Page:
        """Submit a form of a page with some changes, and return the page that follows.

        Pass None to untick a checkbox. `named` has changes of fields with the names of parameters.
        """
        form = self.get(path).form(action)
        fields = dict(form.fields)
        for name, value in {**changes, **(named or {})}.items():
            assert name in form.names | form.fields.keys(), f"the form has no field {name}"
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
        response = self.request("POST", form.action, data=fields, allow_redirects=True)
        assert response.status_code == status, (path, response.status_code, Page(response).text)
        return Page(response)

    def upload(self, repository: str, *archives: Archive, status: int = 200) -> Page:
        """Upload archives with the upload form, and return the page that follows."""
        response = self.send_files(repository, *((each.filename, each.data) for each in archives))
        assert response.status_code == status, (response.status_code, Page(response).text)
        return Page(response)

    def send_files(
        self, repository: str, *files: tuple[str, bytes], token: bool = True
    ) -> requests.Response:
        """Submit the upload form with files, with or without the form's token."""
        form = self.get(f"/portal/repositories/{repository}/upload").form()
        fields = [(name, (None, value)) for name, value in form.fields.items() if token]
        contents = [("content", each) for each in files]
        return self.request("POST", form.action, files=[*fields, *contents], allow_redirects=True)

    def sign_in(self, username: str, password: str, *, status: int = 200) -> Page:
        """Submit the sign-in form, and return the page that follows."""
        return self.submit("/portal/sign-in", username=username, password=password, status=status)

    def close(self) -> None:
        """Close all connections."""
        self.session.close()


def secret_of(page: Page) -> str:
    """Return the secret that a page shows once, from its copy button."""
    (button,) = [each for each in page.all("button") if each.get("aria-label") == "Copy the secret"]
    return button["data-copy"]


def complete_page(browser: Browser, path: str) -> Page:
    """Return a list or a search, once the server has read all projects.

    A server that other tests use too may have many projects that it has not read yet.
    """
    pages: list[Page] = []

    def is_complete() -> bool:
        pages.append(browser.get(path))
        return "not read yet" not in pages[-1].text

    wait_until(is_complete, "the server to have read all projects")
    return pages[-1]
