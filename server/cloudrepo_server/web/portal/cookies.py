"""What a browser is given to show again: who it is, a form's token, and what the next page says.

All is signed, and nothing of it is kept here, so that any server of those that share a store
knows the browser of another.
"""

import hashlib
from collections.abc import Sequence

import msgspec
from aiohttp import web
from itsdangerous import BadData, Signer, TimestampSigner, URLSafeTimedSerializer

from cloudrepo_server.domain.sessions import LIFETIME
from cloudrepo_server.web.http.urls import scheme_of

_PATH = "/portal"
_NOTICE_SECONDS = 300
# A browser takes a cookie of 4,096 bytes.
_MAX_TEXT = 1000


class Notice(msgspec.Struct, frozen=True):
    """What the next page says first; `secret` is shown then and never again."""

    text: str
    kind: str = "done"
    secret: str | None = None


class Cookies:
    """The cookies of one portal; `shared` is whether other servers have it too.

    A browser that has not signed in has a signed identity too, since the sign-in form has a token.
    """

    def __init__(self, key: bytes, *, shared: bool) -> None:
        self._shared = shared
        self._identities = TimestampSigner(key, salt="cookie", digest_method=hashlib.sha256)
        self._forms = Signer(key, salt="form", digest_method=hashlib.sha256)
        self._notices = URLSafeTimedSerializer(
            key, salt="notice", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def identity(self, request: web.Request) -> str | None:
        """Who the browser's cookie says it is, if this portal signed it."""
        cookie = request.cookies.get(self._name(request), "")
        try:
            signed = cookie.encode(errors="surrogateescape")
            return self._identities.unsign(signed, max_age=LIFETIME).decode()
        except BadData:
            return None

    def identify(self, request: web.Request, response: web.Response, identity: str) -> None:
        """Tell the browser who it is."""
        self._set(request, response, "", self._identities.sign(identity).decode())

    def forget(self, request: web.Request, response: web.Response) -> None:
        """Tell the browser that it is nobody."""
        self._delete(request, response, "")

    def form_token(self, identity: str) -> str:
        """What a form must bring back to be this browser's."""
        return self._forms.get_signature(identity).decode()

    def is_form_token(self, token: str, identity: str) -> bool:
        """Whether a form brought it back."""
        return self._forms.verify_signature(identity, token)

    def notices(self, request: web.Request, identity: str) -> list[Notice]:
        """What this browser's next page is to say."""
        cookie = request.cookies.get(self._name(request, "-notices"))
        if cookie is None:
            return []
        try:
            told = self._notices.loads(cookie, max_age=_NOTICE_SECONDS)
            return msgspec.convert(told[identity], list[Notice])
        except (BadData, KeyError, TypeError, msgspec.ValidationError, UnicodeError):
            return []

    def notify(
        self,
        request: web.Request,
        response: web.Response,
        identity: str,
        notices: Sequence[Notice],
    ) -> None:
        """Let the browser's next page say this."""
        if notices:
            cut = [msgspec.structs.replace(one, text=one.text[:_MAX_TEXT]) for one in notices]
            told = self._notices.dumps({identity: msgspec.to_builtins(cut)})
            self._set(request, response, "-notices", str(told), max_age=_NOTICE_SECONDS)
        elif self._name(request, "-notices") in request.cookies:
            self._delete(request, response, "-notices")

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
            path=_PATH,
            secure=scheme_of(request) == "https",
            httponly=True,
            samesite="Strict",
        )

    def _delete(self, request: web.Request, response: web.Response, suffix: str) -> None:
        response.del_cookie(
            self._name(request, suffix),
            path=_PATH,
            secure=scheme_of(request) == "https",
            httponly=True,
            samesite="Strict",
        )

    def _name(self, request: web.Request, suffix: str = "") -> str:
        if self._shared:
            # Each of the servers may listen on another port.
            return f"cloudrepo-portal{suffix}"
        # Cookies ignore ports: two servers on one host would sign each other's users out.
        transport = request.transport
        port = transport.get_extra_info("sockname")[1] if transport is not None else 0
        return f"cloudrepo-portal-{port}{suffix}"
