"""Every kind of event, with every reason, with hostile text in each field that holds text."""

from enum import Enum
from itertools import product
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

from sessile.core.client import Client
from sessile.sinks.kinds import KINDS
from sessile.testing.clock import FakeClock

NOW = FakeClock()()
CHECKSUM = 4_031_977_215

TEXTS = {
    "line breaks": 'x\r\n{"event":"LoggedIn"}\v\f\x1c\x1d\x1e\x85\u2028\u2029x',
    "terminal": "\x1b[2J\x1b]0;owned\x07\x9b31m\x7f\b\x00",
    "surrogates": "\ud800 \udc80 \ud83d\ude00",
    "directions": "\u202efdp.exe\u2066\u2067\u2069\u200f\ufeff",
    "format": "%s %n %(message)s {0} {event.__class__} ${jndi:ldap://x}",
    "quotes": '"}\\" \\u000a \',',
    "long": "A" * 100_000,
    "astral": "😀🦥" * 5_000,
}


def every_event(text):
    """Build events of all kinds; their number is that of reasons, not of texts."""
    for kind in KINDS:
        hints = {field: kind_of(hint) for field, hint in get_type_hints(kind).items()}
        fields = [field for field in kind.__struct_fields__ if field in hints]
        for values in product(*(values_of(hints[field], text) for field in fields)):
            yield kind(**dict(zip(fields, values, strict=True)))


def kind_of(hint):
    """Return the type behind a ``NewType``, and the one that is not None in a union."""
    if get_origin(hint) in {Union, UnionType}:
        (hint,) = (one for one in get_args(hint) if one is not type(None))
    return getattr(hint, "__supertype__", hint)


def values_of(kind, text):
    """Return values of a field; a type without a rule here is a failure."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)
    rules = {
        str: [text],
        int: [2],
        float: [NOW],
        bool: [True],
        tuple[str, ...]: [(text,) * 100],
        Client: [Client(text, text, text, CHECKSUM)],
    }
    return rules[kind]
