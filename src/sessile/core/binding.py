"""Binding: whether a request's client is the one its session belongs to. Pure.

``service.open`` acts on it. An address and a User-Agent are signals, not proofs: a thief may
share the first and forge the second, and an honest client may change both.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from sessile.core.address import subnet
from sessile.core.client import Client
from sessile.core.options import suggest_options
from sessile.errors import ConfigError


class AddressMatch(Enum):
    """How much of the client's address must stay the same."""

    IGNORE = "ignore"  # nothing; it is still kept, for the owner's list of devices
    SUBNET = "subnet"  # the first 24 bits of IPv4, the first 64 of IPv6
    EXACT = "exact"  # all of it: for networks whose addresses are fixed


class AgentMatch(Enum):
    """How much of the User-Agent must stay the same."""

    IGNORE = "ignore"  # nothing; it is still kept, for the owner's list of devices
    FAMILY = "family"  # the browser's family; versions and systems may change


class OnMismatch(Enum):
    """What happens when a genuine ticket comes from a client that does not match."""

    RECORD = "record"  # an event and a line in the trail; the session goes on with the new client
    ROTATE = "rotate"  # the ticket turns as well, at once: a copy of it soon shows as a replay
    STEP_UP = "step up"  # nobody's session for that client until the owner proves who they are
    END = "end"  # the session ends for everyone who holds it; a change of network logs people out


_KINDS: Final[dict[str, type[Enum]]] = {
    "address": AddressMatch, "agent": AgentMatch, "on_mismatch": OnMismatch,
}  # fmt: skip


@suggest_options
@dataclass(frozen=True, slots=True)
class Binding:
    """What ties a session to its client, and what happens when the tie does not hold.

    Args:
        address: how much of the client's address must stay. It is the peer's, unless ``Proxies``
            says whom to believe about another one.
        agent: how much of the User-Agent must stay.
        on_mismatch: what happens otherwise, to sessions that somebody is logged in to. Of an
            anonymous visitor no client is kept, so there is nothing to compare.

    Raises:
        ConfigError: a value that is none of these.
    """

    address: AddressMatch = AddressMatch.SUBNET
    agent: AgentMatch = AgentMatch.FAMILY
    on_mismatch: OnMismatch = OnMismatch.RECORD

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            given = getattr(self, name)
            if not isinstance(given, kind):
                members = ", ".join(f"{kind.__name__}.{member.name}" for member in kind)
                raise ConfigError(f"{name}={given!r}: write one of {members}")

    def holds(self, bound: Client, came: Client, other_address: str = "") -> bool:
        """Tell whether the client that came is the one a session is bound to, as far as asked.

        Args:
            bound: the session's client.
            came: the client of the request.
            other_address: the session's client has that one as well, in the other address family:
                a browser takes now IPv6 and now IPv4 (RFC 8305). ``""`` for none.
        """
        return self._same_agent(bound, came) and (
            self._same_place(bound.address, came.address)
            or (other_address != "" and self._same_place(other_address, came.address))
        )

    def _same_place(self, bound: str, came: str) -> bool:
        if self.address is AddressMatch.IGNORE or not bound or bound == came:
            return True
        if self.address is AddressMatch.EXACT or not came:
            return False
        return subnet(bound) == subnet(came)

    def _same_agent(self, bound: Client, came: Client) -> bool:
        return self.agent is AgentMatch.IGNORE or not bound.browser or bound.browser == came.browser
