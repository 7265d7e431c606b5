"""All places where a request may carry a ticket. ``core.carrier`` has the ways one by one.

A ticket goes back the way it came. An answer to a request that brought none goes the first way.
What stands in a place that is not listed is not looked at.
"""

from collections.abc import Sequence

from sessile.core.carrier import Carrier, CookieCarrier
from sessile.core.cookie import Cookie, Presented
from sessile.core.request import Request
from sessile.errors import ConfigError


class Carriers:
    """All places where a request may carry a ticket.

    Args:
        first: where an answer puts a ticket if the request brought none.
        others: where else a request may bring one.

    Attributes:
        varies: the request headers that an answer depends on.
        in_body: whether one of them looks at bodies.
    """

    __slots__ = ("_alone", "_detached", "all", "first", "in_body", "varies")

    def __init__(self, first: Carrier, *others: Carrier) -> None:
        self.first = first
        self.all = (first, *others)
        self._alone = not others
        self.varies = tuple(dict.fromkeys(one.varies for one in self.all if one.varies))
        self.in_body = any(one.in_body for one in self.all)
        self._detached = not all(one.attached for one in self.all)

    @classmethod
    def of(cls, cookie: Cookie | None, given: Sequence[Cookie | Carrier] | None) -> "Carriers":
        """Return the carriers that an application asked for; a cookie alone if it asked for none.

        Raises:
            ConfigError: none at all, one twice, or a cookie in both places.
        """
        if given is None:
            return cls(CookieCarrier(cookie or Cookie()))
        if cookie is not None:
            raise ConfigError(
                "cookie= and carriers= say it twice: write carriers=[cookie, ...] alone"
            )
        found = [_carrier(one) for one in given]
        if not found:
            raise ConfigError("carriers=[] leaves no way for a ticket; write carriers=[Cookie()]")
        names = [one.cookie.full_name for one in found if isinstance(one, CookieCarrier)]
        if len(set(names)) != len(names):
            raise ConfigError("two cookies of one name in carriers; remove one, or rename it")
        if any(one in found[:place] for place, one in enumerate(found)):
            raise ConfigError("one carrier stands twice in carriers; remove the copy")
        return cls(*found)

    def find(self, request: Request) -> tuple[Carrier, str | Presented]:
        """Return what the request presents, and the carrier that the answer goes back by.

        Tickets in two places are ambiguous even if they are equal: the answer goes back one way,
        and after the next rotation the copy left in the other would look like a stolen one.
        """
        if self._alone:
            return self.first, self.first.presented(request)
        brought = [
            (one, found)
            for one in self.all
            if (found := one.presented(request)) is not Presented.NOTHING
        ]
        if len(brought) == 1:
            return brought[0]
        return self.first, Presented.AMBIGUOUS if brought else Presented.NOTHING

    def exempt(self, request: Request) -> bool:
        """Tell whether no other site can have made a browser send this request with its authority.

        That is so of a request whose only credential is a ticket that a program put there. A cookie
        of any name ends it: a browser attached that one, and somebody may go by it.
        """
        if not self._detached or request.header("cookie"):
            return False
        carrier, found = self.find(request)
        return not carrier.attached and not isinstance(found, Presented)


def _carrier(given: Cookie | Carrier) -> Carrier:
    if isinstance(given, Cookie):
        return CookieCarrier(given)
    if hasattr(given, "presented") and hasattr(given, "attached") and not isinstance(given, type):
        return given
    raise ConfigError(
        f'carriers: {given!r} is none; write Cookie(), Bearer(), LeakyQuery("sid") or '
        'ForgeableBody("sid")'
    )
