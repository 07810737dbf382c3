"""Who may come in: the browser that was given the address, for the page that was served to it, and nobody else.

Pages of other sites run in the same browser, and can send requests to this machine. Against them stand: a secret in the
address that is exchanged for a cookie; the Host that a request names, since a name of theirs may point here; and the
Origin and Sec-Fetch-Site that browsers add, since the cookie alone would come along from other ports of this machine.
"""

import hmac
import secrets
import urllib.parse
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No script but the page's own files runs, whatever text comes into it."""

HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

TOKEN: Final = "token"
"""Of the address: the parameter with the secret."""

NOT_YOURS: Final = "This page belongs to whoever started `batchbg review`: open the address that it printed."


class Gate:
    """Lets requests through to an application.

    Attributes:
        token: the secret of the address.
    """

    def __init__(self, application: ASGIApp, port: int) -> None:
        self._application = application
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        # Cookies are shared by all ports of a machine: each server has a name of its own for its.
        self._cookie = f"batchbg-review-{port}"
        self._pass = secrets.token_urlsafe(32)
        self.token = secrets.token_urlsafe(24)
        self._once: set[str] = set()

    def token_for_once(self) -> str:
        """Return another secret, which opens the page a single time: a program's arguments are read by others."""
        token = secrets.token_urlsafe(24)
        self._once.add(token)
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        refused = self._refused(scope, headers)
        is_new = not refused and self._has_token(scope)
        if not refused and not is_new and not self._has_cookie(headers):
            refused = 403, NOT_YOURS

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    answer[name] = value
                answer.setdefault("Cache-Control", "no-store")
                if is_new:
                    answer.append("Set-Cookie", f"{self._cookie}={self._pass}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        application = PlainTextResponse(refused[1], refused[0]) if refused else self._application
        await application(scope, receive, with_headers)

    def _refused(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Return the status and the reason where a request comes from elsewhere."""
        if len(headers.getlist("host")) != 1 or headers["host"].lower() not in self._hosts:
            return 421, "Nothing is served here by that name."
        origins = headers.getlist("origin")
        if any(origin != f"http://{headers['host'].lower()}" for origin in origins):
            return 403, "Another site may not ask this."
        writes = scope["method"] not in ("GET", "HEAD")
        site = headers.get("sec-fetch-site", "")
        if writes and not origins:
            return 403, "A request that changes something has to say where it comes from."
        if site in ("", "none", "same-origin"):
            return None
        # A link to the address, in a mail or a terminal in the browser, is followed; nothing is embedded elsewhere.
        is_followed = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return None if is_followed and scope["path"] == "/" and not writes else (403, "Another site may not ask this.")

    def _has_token(self, scope: Scope) -> bool:
        """Return whether the secret is in the address, of the page itself."""
        if scope["path"] != "/" or scope["method"] != "GET":
            return False
        asked = urllib.parse.parse_qs(scope["query_string"].decode("latin-1"))
        given = asked.get(TOKEN, [""])[0]
        if given in self._once:  # of 192 bits, most of which nobody comes to guess
            self._once.discard(given)
            return True
        return _same(given, self.token)

    def _has_cookie(self, headers: Headers) -> bool:
        found = [
            value
            for line in headers.getlist("cookie")
            for name, value in cookie_parser(line).items()
            if name == self._cookie
        ]
        return any(_same(one, self._pass) for one in found[:3])


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode())
