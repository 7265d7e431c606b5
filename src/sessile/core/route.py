"""The token by which a balancer knows the server of a client. Pure."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256


def route_token(server: str, secret: bytes) -> str:
    """Return the opaque token that stands for a server: it tells a client nothing about it."""
    digest = hmac.digest(secret, b"sessile route\0" + server.encode(), sha256)
    return urlsafe_b64encode(digest[:15]).decode()
