"""What every use case needs, put together once by ``service.sessions``."""

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable

from sessile.codecs.sealing import Sealer
from sessile.core.carrier import Carriers
from sessile.core.origin import Origins
from sessile.core.policy import Policy
from sessile.core.proxies import Proxies
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.core.value import Codec, Instant, Seconds
from sessile.service.events import Event, Hook, Malformed, Timed
from sessile.stores.contract import Store
from sessile.wire.background.tasks import BackgroundTasks


class Parts:
    """The collaborators of the flows. Time and entropy come in here and nowhere else.

    Attributes:
        heard: whether anybody listens to events.
        timed: whether anybody wants to know how long things took.
    """

    __slots__ = (
        "_hooks", "_timers", "carriers", "clock", "codec", "created", "entropy", "failed",
        "heard", "origins", "policy", "proxies", "ring", "store", "tasks", "timed", "timer",
        "sealer",
    )  # fmt: skip

    def __init__(
        self,
        *,
        store: Store,
        ring: KeyRing,
        policy: Policy,
        carriers: Carriers,
        proxies: Proxies,
        origins: Origins,
        codec: Codec,
        sealer: Sealer,
        clock: Callable[[], Instant],
        timer: Callable[[], Seconds],
        entropy: Callable[[int], bytes],
        hooks: Sequence[Hook] = (),
        failed: Callable[[Hook, BaseException], None],
        tasks: BackgroundTasks,
    ) -> None:
        self.store = store
        self.ring = ring
        self.policy = policy
        self.carriers = carriers
        self.proxies = proxies
        self.origins = origins
        self.codec = codec
        self.sealer = sealer
        self.clock = clock
        self.timer = timer
        self.entropy = entropy
        self.tasks = tasks
        self.failed = failed
        self.created = 0
        self._hooks = tuple(hooks)
        self.heard = bool(hooks)
        self._timers = tuple(hook for hook in hooks if getattr(hook, "timed", False))
        self.timed = bool(self._timers)
        store.malformed = self._malformed

    def mint(self) -> Ticket:
        """Return a new ticket."""
        return Ticket.mint(self.entropy(ENTROPY))

    def tell(self, event: Event) -> None:
        """Tell every hook; what an async one does goes on by itself. A failure harms no request."""
        for hook in self._hooks:
            self._call(hook, event)

    def tell_timers(self, event: Timed) -> None:
        """Tell the hooks that want to know how long things took."""
        for hook in self._timers:
            self._call(hook, event)

    def _call(self, hook: Hook, event: Event) -> None:
        try:
            told = hook(event)
            if told is not None and isawaitable(told):
                self.tasks.start(told, partial(self.failed, hook))
        except Exception as error:  # noqa: BLE001  (whatever a listener does wrong)
            self.failed(hook, error)

    def _malformed(self, key: Key) -> None:
        self.tell(Malformed(self.clock(), key))
