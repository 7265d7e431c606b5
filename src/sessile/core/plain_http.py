"""Whether a client will send a Secure cookie back: over plain http most do not. Pure.

A hint for the log alone (``service.operator_log``), so whoever says https is believed.
"""

import re
from typing import Final

from sessile.core.cookie import Cookie
from sessile.core.request import Request

_LOCAL: Final = re.compile(
    r"(?:(?:[^:]*\.)?localhost\.?|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]*)?", re.IGNORECASE
)
_ENCRYPTED: Final = ("https", "wss")
_SAYS_HTTPS: Final = re.compile(r"\b(?:https|wss|on)\b", re.IGNORECASE).search
_PROXY_HEADERS: Final = (
    "x-forwarded-proto", "x-forwarded-scheme", "x-forwarded-ssl", "x-scheme", "front-end-https",
    "cloudfront-forwarded-proto", "forwarded",
)  # fmt: skip
_SCRIPTS: Final = ("python", "testclient")
"""How the agents begin that keep a Secure cookie from localhost too: those with http.cookiejar."""


def loses(cookie: Cookie, request: Request) -> bool:
    """Tell whether the client of a request gets this cookie in an answer and never sends it."""
    if not cookie.secure or request.scheme in _ENCRYPTED:
        return False
    if _LOCAL.fullmatch(request.header("host")):  # browsers take it for safe
        return request.agent.lower().startswith(_SCRIPTS)
    if request.header("sec-fetch-site") or request.header("origin").startswith("https:"):
        return False  # a browser that speaks https, to whom a proxy listens
    return not any(_SAYS_HTTPS(request.header(name)) for name in _PROXY_HEADERS)
