"""What every use case needs, put together once by ``service.sessions``."""

from collections.abc import Callable, Sequence

from sessile.codecs.sealed import Vault
from sessile.core.cookie import Cookie
from sessile.core.policy import Policy
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.core.value import Codec, Instant
from sessile.service.events import Event, Hook, Malformed
from sessile.stores.contract import Store


class Parts:
    """The collaborators of the flows. Time and entropy come in here and nowhere else."""

    __slots__ = (
        "_hooks", "clock", "codec", "cookie", "created", "entropy", "failed", "policy", "ring",
        "store", "vault",
    )  # fmt: skip

    def __init__(
        self,
        *,
        store: Store,
        ring: KeyRing,
        policy: Policy,
        cookie: Cookie,
        codec: Codec,
        vault: Vault,
        clock: Callable[[], Instant],
        entropy: Callable[[int], bytes],
        hooks: Sequence[Hook] = (),
        failed: Callable[[Hook, Exception], None],
    ) -> None:
        self.store = store
        self.ring = ring
        self.policy = policy
        self.cookie = cookie
        self.codec = codec
        self.vault = vault
        self.clock = clock
        self.entropy = entropy
        self.failed = failed
        self.created = 0
        self._hooks = tuple(hooks)
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
