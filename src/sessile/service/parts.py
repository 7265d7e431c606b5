"""What every use case needs, put together once by ``service.sessions``."""

from collections.abc import Callable, Sequence

from sessile.codecs.sealed import Vault
from sessile.core.carrier import Carriers
from sessile.core.policy import Policy
from sessile.core.proxies import Proxies
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.core.value import Codec, Instant, Seconds
from sessile.service.events import Event, Hook, Malformed
from sessile.stores.contract import Store


class Parts:
    """The collaborators of the flows. Time and entropy come in here and nowhere else.

    Attributes:
        heard: whether anybody listens to events.
        timed: whether anybody wants to know how long things took.
    """

    __slots__ = (
        "_hooks", "carriers", "clock", "codec", "created", "entropy", "failed", "heard", "policy",
        "proxies", "ring", "store", "timed", "timer", "vault",
    )  # fmt: skip

    def __init__(
        self,
        *,
        store: Store,
        ring: KeyRing,
        policy: Policy,
        carriers: Carriers,
        proxies: Proxies,
        codec: Codec,
        vault: Vault,
        clock: Callable[[], Instant],
        timer: Callable[[], Seconds],
        entropy: Callable[[int], bytes],
        hooks: Sequence[Hook] = (),
        failed: Callable[[Hook, Exception], None],
    ) -> None:
        self.store = store
        self.ring = ring
        self.policy = policy
        self.carriers = carriers
        self.proxies = proxies
        self.codec = codec
        self.vault = vault
        self.clock = clock
        self.timer = timer
        self.entropy = entropy
        self.failed = failed
        self.created = 0
        self._hooks = tuple(hooks)
        self.heard = bool(hooks)
        self.timed = any(getattr(hook, "timed", False) for hook in hooks)
        store.malformed = self._malformed

    def mint(self) -> Ticket:
        """Return a new ticket."""
        return Ticket.mint(self.entropy(ENTROPY))

    def tell(self, event: Event) -> None:
        """Tell every hook. A hook that fails is reported, and harms no request."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception as error:  # noqa: BLE001  (whatever a listener does wrong)
                self.failed(hook, error)

    def _malformed(self, key: Key) -> None:
        self.tell(Malformed(self.clock(), key))
