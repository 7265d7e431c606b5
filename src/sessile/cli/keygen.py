"""``sessile keygen``: draw a secret. ``core.secrets`` checks what is given back to us."""

from base64 import urlsafe_b64encode
from typing import Final

import typer

from sessile.wire import system

ENTROPY: Final = 32
"""Bytes: as many as the key of AES-256, which is derived from them."""


def keygen() -> None:
    """Print a fresh secret.

    Nothing else is printed, so it can be piped. Run it once, and give what it prints to every
    server, in its environment:

        SESSILE_SECRETS=SECRET

    To rotate, put a new secret before the old one; the first seals, all open:

        SESSILE_SECRETS=NEW,OLD

    Where servers restart one after the other, write OLD,NEW on all of them first. Drop the old
    one when the sessions from before have ended; with the default policy that takes 30 days.
    """
    typer.echo(urlsafe_b64encode(system.entropy(ENTROPY)).decode().rstrip("="))
