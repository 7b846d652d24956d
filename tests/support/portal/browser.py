"""A browser without screen or scripts: cookies, pages, and forms filled in as they stand there."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import requests

from tests.support.archives import Archive
from tests.support.index import Server
from tests.support.raw import SECONDS

_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_UNSEEN = {"script", "style", "title", "template"}


@dataclass(slots=True)
class Form:
    """A form with the values that a browser would send if nothing were changed."""

    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)


class Page(HTMLParser):
    """What an answer shows."""

    def __init__(self, answer: requests.Response) -> None:
        super().__init__()
        self.answer = answer
        self.status = answer.status_code
        self.path = urlsplit(answer.url).path
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.forms: list[Form] = []
        self._words: list[str] = []
        self._open: list[str] = []
        self._select: str | None = None
        self.feed(answer.text)

    @property
    def text(self) -> str:
        """The words, with single blanks between them."""
        return " ".join(" ".join(self._words).split())

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """The attributes of the elements that have these."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [
            found
            for name, found in self.elements
            if name == tag and wanted.items() <= found.items()
        ]

    def form(self, action: str | None = None) -> Form:
        """The form of that action, or the only one that is the page's own."""
        own = [
            form
            for form in self.forms
            if (form.action != "/portal/sign-out" and form.method == "post")
            if action is None or form.action == action
        ]
        assert len(own) == 1, (action, [form.action for form in self.forms], self.text)
        return own[0]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements.append((tag, given))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "form":
            action = urlsplit(urljoin(self.answer.url, given.get("action") or self.path)).path
            self.forms.append(Form(given.get("method", "get"), action))
        elif self.forms and tag in ("input", "select", "option"):
            self._take(self.forms[-1], tag, given)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not _UNSEEN & set(self._open):
            self._words.append(data)
        if self._open[-1:] == ["option"] and self._select is not None:
            form = self.forms[-1]
            chosen = "selected" in self.elements[-1][1]
            if chosen or self._select not in form.fields:
                form.fields[self._select] = data.strip()

    def _take(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "select":
            self._select = name
        if tag != "input" or not name:
            return
        form.names.add(name)
        if given.get("type") in ("checkbox", "radio"):
            if "checked" in given:
                form.fields[name] = given.get("value", "on")
        elif given.get("type") != "file":
            form.fields[name] = given.get("value", "")


class Browser:
    """Somebody at the portal."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False

    def request(self, method: str, path: str, **options: object) -> requests.Response:
        """Send a request as it is, and follow nothing."""
        given: dict[str, object] = {"timeout": SECONDS, "allow_redirects": False, **options}
        url = urljoin(self.server.url, path)
        return self.session.request(method, url, **given)  # type: ignore[arg-type] # requests' own options

    def get(self, path: str, status: int = 200) -> Page:
        """The page at which one arrives."""
        answer = self.request("GET", path, allow_redirects=True)
        assert answer.status_code == status, (path, answer.status_code, answer.text)
        return Page(answer)

    def submit(
        self, path: str, action: str | None = None, *, status: int = 200, **changes: str | None
    ) -> Page:
        """Fill in the form on a page, and give the page at which one arrives.

        A change to None takes a tick away.
        """
        form = self.get(path).form(action)
        fields = dict(form.fields)
        for name, value in changes.items():
            assert name in form.names | form.fields.keys(), f"the form has no {name}"
            if value is None:
                fields.pop(name, None)
            else:
                fields[name] = value
        answer = self.request("POST", form.action, data=fields, allow_redirects=True)
        assert answer.status_code == status, (path, answer.status_code, Page(answer).text)
        return Page(answer)

    def upload(self, repository: str, *archives: Archive, status: int = 200) -> Page:
        """Choose files on the page for uploads, and send them."""
        answer = self.send(repository, *((each.filename, each.data) for each in archives))
        assert answer.status_code == status, (answer.status_code, Page(answer).text)
        return Page(answer)

    def send(
        self, repository: str, *files: tuple[str, bytes], token: bool = True
    ) -> requests.Response:
        """Send files as the form for uploads does."""
        form = self.get(f"/portal/repositories/{repository}/upload").form()
        fields = [(name, (None, value)) for name, value in form.fields.items() if token]
        contents = [("content", each) for each in files]
        return self.request("POST", form.action, files=[*fields, *contents], allow_redirects=True)

    def sign_in(self, username: str, password: str, *, status: int = 200) -> Page:
        """Fill in the sign-in form."""
        return self.submit("/portal/sign-in", username=username, password=password, status=status)

    def close(self) -> None:
        """Forget everything."""
        self.session.close()


def secret_of(page: Page) -> str:
    """Return the secret that a page shows once, from its copy button."""
    (button,) = [each for each in page.all("button") if each.get("aria-label") == "Copy it"]
    return button["data-copy"]
