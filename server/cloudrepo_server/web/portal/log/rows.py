"""The rows of the request log: what the templates show of a request."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal

import msgspec

from cloudrepo_server.specs.user_agent import Client, parse_user_agent
from cloudrepo_server.testkit.journal import Entry
from cloudrepo_server.web.portal.log.filters import ANONYMOUS, KINDS
from cloudrepo_server.web.portal.paths import REQUESTS, repository_path

CHANGES_PART = "changes"
"""The segment before the number in the path of a change, and the first part of its key."""

_LABELS = {
    kind: label for name, (label, kinds) in KINDS.items() if name != "index" for kind in kinds
}

Outcome = Literal["good", "plain", "rejection", "failure"]


class Row(msgspec.Struct, frozen=True):
    """A completed request, as a page shows it."""

    entry: Entry

    @property
    def key(self) -> str:
        """A unique identifier of the request, for HTML."""
        return f"{self._journal}-{self.entry.number}"

    @property
    def path(self) -> str:
        """The path of the page with all details of the request."""
        number = str(self.entry.number)
        if self.entry.kind == "admin" or self.entry.repository is None:
            return f"{REQUESTS}/{CHANGES_PART}/{number}"
        return repository_path(self.entry.repository, "requests", number)

    @property
    def kind(self) -> str:
        """The kind of the request, as the filter names it."""
        return _LABELS[self.entry.kind or "page"]

    @property
    def user(self) -> str:
        """The name of the user, or `anonymous`."""
        return self.entry.user or ANONYMOUS

    @property
    def client(self) -> Client:
        """The program that sent the request."""
        return parse_user_agent(self.entry.user_agent)

    @property
    def outcome(self) -> Outcome:
        """How the request ended."""
        status = self.entry.status or 0
        if status == 0 or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "failure"
        if status >= HTTPStatus.BAD_REQUEST:
            return "rejection"
        return "plain" if status >= HTTPStatus.MULTIPLE_CHOICES else "good"

    @property
    def status(self) -> str:
        """The status code, or `reset` if the connection was reset before a response."""
        return str(self.entry.status) if self.entry.status else "reset"

    @property
    def explanation(self) -> str:
        """Why a request was not successful. Some dialects do not show this to the client."""
        entry = self.entry
        return "" if self.outcome in ("good", "plain") else entry.error or entry.reason

    @property
    def size(self) -> int:
        """The size of the request's body or of the response's body, whichever is larger."""
        return max(self.entry.bytes_sent, self.entry.bytes_received)

    @property
    def arrived(self) -> datetime:
        """The time of arrival."""
        return datetime.fromtimestamp(self.entry.arrived, UTC)

    @property
    def url(self) -> str:
        """The path and the query."""
        return self.entry.path + (f"?{self.entry.query}" if self.entry.query else "")

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The request's headers, with secrets masked."""
        raw = self.entry.headers
        return [] if raw is None else msgspec.json.decode(raw, type=list[tuple[str, str]])

    @property
    def form(self) -> dict[str, list[str]]:
        """The fields of an upload's form."""
        raw = self.entry.form
        return {} if raw is None else msgspec.json.decode(raw, type=dict[str, list[str]])

    @property
    def _journal(self) -> str:
        return CHANGES_PART if self.entry.kind == "admin" else f"@{self.entry.repository}"


def format_duration(seconds: float) -> str:
    """Return a duration in a unit that fits, such as "12 ms" or "1.5 s"."""
    if seconds < 1:
        milliseconds = seconds * 1000
        return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"  # noqa: PLR2004 (two digits)
    return f"{seconds:.1f} s"
