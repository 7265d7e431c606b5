"""The Cookie header: what is found in it, compared with a slow reading by hand."""

from typing import Final

from fuzz import ticket
from sessile.core.cookie import Cookie
from sessile.core.ticket import NoTicket

COOKIES: Final = (Cookie(), Cookie(secure=False), Cookie(name="a.b+c", path="/app"))
TICKET: Final = ticket.SEEDS[0].decode()
LONGEST: Final = 256
SEEDS: Final = (
    f"__Host-sid={TICKET}".encode(),
    f"a=b; __Host-sid={TICKET} ; sid={TICKET}; c=d".encode(),
    f"__Host-sid={TICKET}; __Host-sid={TICKET}".encode(),
    b"a.b+c=1;\ta.b+c=2; sid; sid =x; sid=;=; ;;",
    b'sid="quoted; __host-sid=no, x__Host-sid=\xe9',
)


def check(data: bytes) -> None:
    """Assert that each cookie is found where it stands, and that its ticket round-trips."""
    header = data.decode("latin-1")
    for cookie in COOKIES:
        found = cookie.find(header)
        assert found == read_by_hand(header, cookie.full_name)
        if isinstance(found, str):
            ticket.check_text(found)


def read_by_hand(header: str, name: str) -> str | NoTicket:
    """Read the header by hand: split at semicolons, then at the first ``=``.

    A value ends at a comma, too. One that stands behind a comma does not count, and is not nothing.
    """
    values = values_of(header.split(";"), name)
    if len(values) == 1:
        return values[0].rstrip(" \t")
    behind = values_of(header.replace(",", ";").split(";"), name)
    return NoTicket.AMBIGUOUS if values or behind else NoTicket.ABSENT


def values_of(parts: list[str], name: str) -> list[str]:
    """Return the values of that name."""
    pairs = [part.lstrip(" \t").partition("=") for part in parts]
    return [value.partition(",")[0] for key, equals, value in pairs if equals and key == name]
