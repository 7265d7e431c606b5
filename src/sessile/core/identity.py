"""Who a session belongs to, how well that was proved, and what a request wants of it.

Four states. *Anyone*: nobody is logged in. *Pending*: a first factor was given and another one is
asked for; to every check that is nobody. *Logged in*. *Locked*: somebody is, but this request has
not proved to be theirs; to every check that too is nobody (see ``Lock``).
"""

from collections.abc import Mapping
from enum import Enum
from typing import Final

import msgspec

from sessile.core.value import Instant


class Lock(Enum):
    """Why an owned session opens for nobody until its owner proves who they are."""

    IDLE = "unused for the idle time"
    MISMATCH = "another client presented its ticket"
    REPLAY = "a used ticket came back"


class Intent(Enum):
    """The application's wish for its session beside changed values; the commit carries it out."""

    # Members are singletons, and one is looked up per request: Enum's own hash is slow.
    __hash__ = object.__hash__

    KEEP = "keep"
    BEGIN = "begin a login"
    LOGIN = "login"
    STEP_UP = "step up"
    UNLOCK = "unlock"
    LOGOUT = "logout"
    ROTATE = "rotate"


class Pending(msgspec.Struct, frozen=True, array_like=True):
    """A login that is half finished.

    Attributes:
        user: who began it.
        factors: what they gave so far, as in ``("password",)``.
        until: when it is too late to finish, in seconds since 1970.
        lost: the id of the login that it became already, if the answer of that was lost: whoever
            finishes finds its values. "" for none.
    """

    user: str
    factors: tuple[str, ...]
    until: Instant
    lost: str = ""

    def __repr__(self) -> str:
        return "<Pending login>"


class Identity(msgspec.Struct, frozen=True):
    """What a login says of its user.

    Attributes:
        owner: the user's key; None is an anonymous visitor.
        assurance: 0 anonymous, 1 and up as the login said.
        authenticated_at: when the user last proved in full who they are.
        factors: what they gave, as in ``("password", "totp")``.
        persistent: the cookie outlives the browser.
        device: what the login called the client.
        pending: a login that is half finished.
        grants: for each purpose that a step-up allowed, until when.
        until: when the login ends at the latest, as an identity provider said; None leaves it to
            the policy.
    """

    owner: str | None = None
    assurance: int = 0
    authenticated_at: Instant | None = None
    factors: tuple[str, ...] = ()
    persistent: bool = False
    device: str = ""
    pending: Pending | None = None
    grants: Mapping[str, Instant] = {}
    until: Instant | None = None

    def __repr__(self) -> str:
        return f"<Identity at level {self.assurance}>"


ANYONE: Final = Identity()
