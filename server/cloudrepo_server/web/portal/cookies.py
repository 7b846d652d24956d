"""The portal's cookies: the session, pending notices, and the mark of a known browser.

Everything is signed and nothing is stored here. So servers that share a store accept each other's
cookies.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from aiohttp import web
from itsdangerous import BadData, Signer, TimestampSigner, URLSafeTimedSerializer

from cloudrepo_server.domain.sessions import LIFETIME_SECONDS
from cloudrepo_server.web.http.urls import prefix_of, scheme_of

_PATH = "/portal"
_NOTICE_SECONDS = 300
_BROWSER_SECONDS = 90 * 24 * 60 * 60
# Browsers accept cookies of up to 4,096 bytes.
_MAX_NOTICE_TEXT = 1000


class Notice(msgspec.Struct, frozen=True):
    """A message at the top of the next page; `secret` is shown with it, and never again."""

    text: str
    secret: str | None = None


class Cookies:
    """The cookies of one portal; `shared` says whether other servers serve the same portal.

    A browser gets a session id before it signs in, because the CSRF token of the sign-in form is
    derived from it.
    """

    def __init__(self, key: bytes, *, shared: bool) -> None:
        self._shared = shared
        self._sessions = TimestampSigner(key, salt="cookie", digest_method=hashlib.sha256)
        self._browsers = TimestampSigner(key, salt="browser", digest_method=hashlib.sha256)
        self._forms = Signer(key, salt="form", digest_method=hashlib.sha256)
        self._notices = URLSafeTimedSerializer(
            key, salt="notice", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def session_id(self, request: web.Request) -> str | None:
        """Return the session id of a browser, or None if its cookie is missing or invalid."""
        return _unsign(self._sessions, self._get(request, ""), max_age=LIFETIME_SECONDS)

    def set_session(self, request: web.Request, response: web.Response, session_id: str) -> None:
        """Set the session cookie."""
        self._set(request, response, "", self._sessions.sign(session_id).decode())

    def clear_session(self, request: web.Request, response: web.Response) -> None:
        """Delete the session cookie."""
        self._delete(request, response, "")

    def browser_id(self, request: web.Request) -> str | None:
        """Return the id of a browser that has signed in before, or None."""
        return _unsign(self._browsers, self._get(request, "-browser"), max_age=_BROWSER_SECONDS)

    def set_browser(self, request: web.Request, response: web.Response, browser_id: str) -> None:
        """Remember that this browser has signed in; the cookie gives no access to anything."""
        signed = self._browsers.sign(browser_id).decode()
        self._set(request, response, "-browser", signed, max_age=_BROWSER_SECONDS)

    def form_token(self, session_id: str) -> str:
        """Return the CSRF token that every form of a session must contain."""
        return self._forms.get_signature(session_id).decode()

    def is_form_token(self, token: str, session_id: str) -> bool:
        """Return whether a form's token belongs to a session."""
        return self._forms.verify_signature(session_id, token)

    def notices(self, request: web.Request, session_id: str) -> list[Notice]:
        """Return the notices that the session's next page shows."""
        cookie = self._get(request, "-notices")
        if not cookie:
            return []
        try:
            by_session = self._notices.loads(cookie, max_age=_NOTICE_SECONDS)
            return msgspec.convert(by_session[session_id], list[Notice])
        except (BadData, KeyError, TypeError, msgspec.ValidationError, UnicodeError):
            return []

    def set_notices(
        self,
        request: web.Request,
        response: web.Response,
        session_id: str,
        notices: Sequence[Notice],
    ) -> None:
        """Store notices for the session's next page."""
        cut = [msgspec.structs.replace(each, text=each.text[:_MAX_NOTICE_TEXT]) for each in notices]
        signed = self._notices.dumps({session_id: msgspec.to_builtins(cut)})
        self._set(request, response, "-notices", str(signed), max_age=_NOTICE_SECONDS)

    def clear_notices(self, request: web.Request, response: web.Response) -> None:
        """Delete the notices, which this response shows."""
        if self._name(request, "-notices") in request.cookies:
            self._delete(request, response, "-notices")

    def _get(self, request: web.Request, suffix: str) -> str:
        return request.cookies.get(self._name(request, suffix), "")

    def _set(
        self,
        request: web.Request,
        response: web.Response,
        suffix: str,
        value: str,
        *,
        max_age: int | None = None,
    ) -> None:
        response.set_cookie(
            self._name(request, suffix),
            value,
            max_age=max_age,
            path=prefix_of(request) + _PATH,
            secure=scheme_of(request) == "https",
            httponly=True,
            samesite="Strict",
        )

    def _delete(self, request: web.Request, response: web.Response, suffix: str) -> None:
        response.del_cookie(
            self._name(request, suffix),
            path=prefix_of(request) + _PATH,
            secure=scheme_of(request) == "https",
            httponly=True,
            samesite="Strict",
        )

    def _name(self, request: web.Request, suffix: str) -> str:
        if self._shared:
            # The servers may listen on different ports.
            return f"cloudrepo-portal{suffix}"
        # Cookies ignore ports: without the port in the name, signing in to one server on a host
        # would sign the browser out of the others.
        transport = request.transport
        port = transport.get_extra_info("sockname")[1] if transport is not None else 0
        return f"cloudrepo-portal-{port}{suffix}"


def _unsign(signer: TimestampSigner, cookie: str, *, max_age: int) -> str | None:
    try:
        return signer.unsign(cookie.encode(errors="surrogateescape"), max_age=max_age).decode()
    except BadData:
        return None
