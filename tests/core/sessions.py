"""Sessions as requests open them, for tests of what they know of their user."""

from sessile.codecs.msgpack import ValueCodec
from sessile.core.session import Session
from sessile.core.state import SessionState
from sessile.core.ticket import ENTROPY, Ticket
from sessile.testing.clock import T0, SeededEntropy

CODEC = ValueCodec()


def opened(row=None, *, lock=None, now=T0 + 5.0, **values):
    """Return the session of a request that came with that record; locked, it shows no value."""
    entropy = SeededEntropy()
    encoded = {name: CODEC.encode(value) for name, value in values.items()}
    return Session(
        SessionState(
            row,
            {} if lock else encoded,
            codec=CODEC,
            mint=lambda: Ticket.mint(entropy(ENTROPY)),
            now=now,
            lock=lock,
        )
    )


def behind(session):
    """Return what the service knows of a session; unlike ``state_of`` this is no access."""
    return session._held
