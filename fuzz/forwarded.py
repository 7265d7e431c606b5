"""The forwarding headers: whoever the client is said to be, only the trusted have said it."""

from typing import Final

from sessile.core.address import canonical
from sessile.core.proxies import WINDOW, ForwardedHeader, Proxies

TRUSTED: Final = ("10.0.0.0/8", "2001:db8::/32", "unix")
NOBODY: Final = Proxies()
LISTED: Final = Proxies(TRUSTED, ForwardedHeader.X_FORWARDED_FOR)
PAIRED: Final = Proxies(TRUSTED, ForwardedHeader.FORWARDED)
PEER: Final = "10.0.0.1"
STRANGER: Final = "203.0.113.9"
SPELLING: Final = frozenset("0123456789abcdef.:")
LONGEST: Final = 3072
SEEDS: Final = (
    b"198.51.100.7, 10.1.1.1,10.2.2.2:80 , [2001:db8::1]:443",
    b"unknown, ::ffff:10.1.2.3, fe80::1%eth0, , _x",
    b'for=198.51.100.7;proto=https;by=_x, For="[2001:db8::1]:4711"',
    b'for="10.1.1.1";host="a,b\\";for=1.1.1.1", for=10.2.2.2 ; secret="\\\\"',
    b'for=unknown, for="_gazonk:80"',
    b"fe80::1%eth0",
    b"10.1.1.1," * 40,
    b"for=10.1.1.1," * 200,
    b"198.51.100.7," + b" " * WINDOW + b",10.1.1.1",
)


def check(data: bytes) -> None:
    """Assert who is believed, what comes out, and how little of a long header is read."""
    header = data.decode("latin-1")
    check_peer(header)
    check_stranger(header)
    assert LISTED.client(PEER, header) == walk_by_hand(header)
    assert PAIRED.client(PEER, f"{header}, for=10.4.4.4;for={STRANGER}") == PEER
    for proxies in (LISTED, PAIRED):
        check_walk(proxies, header)


def check_peer(text: str) -> None:
    """Assert that any text is a canonical address or nothing, with and without proxies."""
    found = canonical(text)
    assert found is None or (canonical(found) == found and set(found) <= SPELLING)
    assert NOBODY.client(text, text) == (found or "")


def check_stranger(header: str) -> None:
    """Assert that a stranger's header changes nothing."""
    for proxies in (NOBODY, LISTED, PAIRED):
        assert proxies.client(STRANGER, header) == STRANGER
        assert proxies.client("unknown", header) == ""


def check_walk(proxies: Proxies, header: str) -> None:
    """Assert that the rightmost words decide, whatever stands to their left."""
    prefix = "" if proxies is LISTED else "for="
    found, local = proxies.client(PEER, header), proxies.client("", header)
    assert canonical(found) == found
    assert local == found or (found == PEER and local == "")
    assert proxies.client(PEER, f"{header},{prefix}{STRANGER}") == STRANGER
    assert proxies.client(PEER, f"{header}, {prefix}unknown") == PEER
    if len(header) < WINDOW // 2 and header.count(",") < 16:
        assert proxies.client(PEER, f"{header}, {prefix}10.3.3.3") in {found, "10.3.3.3"}
    if len(header) > WINDOW:
        assert proxies.client(PEER, "," + header[-WINDOW:]) == found


def walk_by_hand(header: str) -> str:
    """Walk a list of addresses as one would by hand."""
    here, cut = PEER, len(header) > WINDOW
    pieces = header[-WINDOW:].split(",")[cut:]
    for piece in [piece.strip(" \t") for piece in pieces if piece.strip(" \t")][::-1][:32]:
        found = canonical(piece)
        if found is None:
            break
        here = found
        if not here.startswith(("10.", "2001:db8:")):
            break
    return here
