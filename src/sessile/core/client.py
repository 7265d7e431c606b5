"""The client of a request, as far as its request tells: for binding, listings and the trail.

``core.binding`` compares two of them; ``codecs.agent`` reads the browser from its User-Agent.
"""

import msgspec


class Client(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a request came from and what sent it. Everything in it can be forged but the address.

    Attributes:
        address: canonical text of the client's address; empty when unknown or not kept.
        browser: the family, as in ``"Chrome"``; empty when unknown or not kept.
        system: the operating system, as in ``"Android"``.
        agent: a checksum of the whole User-Agent, to notice at no cost that nothing changed.
    """

    address: str = ""
    browser: str = ""
    system: str = ""
    agent: int = 0

    @property
    def device(self) -> str:
        """The device as people name it: ``"Chrome on Android"``; empty when nothing is known."""
        return " on ".join(filter(None, (self.browser, self.system)))


NOBODY = Client()
"""A client of which nothing is known."""
