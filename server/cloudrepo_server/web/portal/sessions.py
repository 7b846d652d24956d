"""Who is signed in: cookies, sessions and the tokens of forms."""

import hashlib
import secrets
from dataclasses import dataclass, field

from aiohttp import web
from cachetools import TTLCache
from itsdangerous import BadSignature, Signer, TimestampSigner

from cloudrepo_server.web.portal.throttle import Throttle

LIFETIME = 12 * 60 * 60
_SESSIONS = 256
_PATH = "/portal"


@dataclass(frozen=True, slots=True)
class Notice:
    """What the next page says first; `secret` is shown then and never again."""

    text: str
    kind: str = "done"
    secret: str | None = field(default=None, repr=False)


@dataclass(slots=True)
class Session:
    """One signed-in browser."""

    username: str
    notices: list[Notice] = field(default_factory=list)


class Sessions:
    """Every session of this process; the key is made at its start, so none outlives it.

    A browser that has not signed in has a signed identity too, since the sign-in form has a token.
    """

    def __init__(self) -> None:
        self.throttle = Throttle()
        key = secrets.token_bytes(32)
        self._cookies = TimestampSigner(key, salt="cookie", digest_method=hashlib.sha256)
        self._forms = Signer(key, salt="form", digest_method=hashlib.sha256)
        self._sessions: TTLCache[str, Session] = TTLCache(_SESSIONS, LIFETIME)

    def identity(self, request: web.Request) -> str | None:
        """Who the browser's cookie says it is, if this process signed it."""
        cookie = request.cookies.get(_cookie_name(request), "")
        try:
            signed = cookie.encode(errors="surrogateescape")
            return self._cookies.unsign(signed, max_age=LIFETIME).decode()
        except BadSignature:
            return None

    def session(self, identity: str | None) -> Session | None:
        """The session of that identity, unless it is signed out."""
        return None if identity is None else self._sessions.get(identity)

    def new_identity(self) -> str:
        """An identity that nobody had before."""
        return secrets.token_urlsafe(24)

    def sign_in(self, username: str) -> str:
        """Begin a session; its identity is new, so that one known before sign-in is of no use."""
        identity = self.new_identity()
        self._sessions[identity] = Session(username)
        return identity

    def sign_out(self, identity: str) -> None:
        """End a session, wherever its cookie still is."""
        self._sessions.pop(identity, None)

    def form_token(self, identity: str) -> str:
        """What a form must bring back to be this browser's."""
        return self._forms.get_signature(identity).decode()

    def is_form_token(self, token: str, identity: str) -> bool:
        """Whether a form brought it back."""
        return self._forms.verify_signature(identity, token)

    def set_cookie(self, request: web.Request, response: web.Response, identity: str) -> None:
        """Tell the browser who it is."""
        response.set_cookie(
            _cookie_name(request),
            self._cookies.sign(identity).decode(),
            path=_PATH,
            secure=request.secure,
            httponly=True,
            samesite="Strict",
        )

    def delete_cookie(self, request: web.Request, response: web.Response) -> None:
        """Tell the browser that it is nobody."""
        response.del_cookie(
            _cookie_name(request),
            path=_PATH,
            secure=request.secure,
            httponly=True,
            samesite="Strict",
        )


def _cookie_name(request: web.Request) -> str:
    # Cookies ignore ports: two servers on one host would sign each other's users out.
    transport = request.transport
    port = transport.get_extra_info("sockname")[1] if transport is not None else 0
    return f"cloudrepo-portal-{port}"
