"""What every use case needs, put together once by ``service.sessions``."""

from collections.abc import Callable, Sequence
from functools import partial
from inspect import isawaitable

from sessile.codecs.sealing import Forged, Sealer
from sessile.core.carrier import Carriers
from sessile.core.origin import Origins
from sessile.core.policy import Policy
from sessile.core.principal import Principal
from sessile.core.proxies import Proxies
from sessile.core.record import Corrupt, Record
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.core.value import Codec, Encoded, Instant, Seconds
from sessile.errors import ConfigError
from sessile.service.events import Event, Hook, Malformed, Timed
from sessile.service.operator_log import LINES, OperatorLog
from sessile.stores.contract import CommitResult, Conflict, ReplaceResult, Store
from sessile.wire.background.tasks import BackgroundTasks


class Context:
    """The collaborators of the flows. Time and entropy come in here and nowhere else.

    Attributes:
        has_hooks: whether anybody listens to events.
        is_timed: whether anybody wants to know how long things took.
        created: how many records were made so far.
        is_closed: whether the store was closed.
        log: what an operator is told without a hook.
        reopen_store: opens the store again after a close; None where that is not ours to do.
        rests_until: when housekeeping is tried again, by ``timer``; see ``service.housekeeping``.
    """

    __slots__ = (
        "_hooks", "_timers", "carriers", "clock", "codec", "created", "entropy", "has_hooks",
        "is_closed", "is_timed", "log", "origins", "policy", "principal", "proxies",
        "reopen_store", "rests_until", "ring", "sealer", "store", "tasks", "timer",
    )  # fmt: skip

    def __init__(
        self,
        *,
        store: Store,
        ring: KeyRing,
        policy: Policy,
        principal: Principal | None,
        carriers: Carriers,
        proxies: Proxies,
        origins: Origins,
        codec: Codec,
        sealer: Sealer,
        clock: Callable[[], Instant],
        timer: Callable[[], Seconds],
        entropy: Callable[[int], bytes],
        hooks: Sequence[Hook] = (),
        tasks: BackgroundTasks,
    ) -> None:
        self.store = store
        self.ring = ring
        self.policy = policy
        self.principal = principal
        self.carriers = carriers
        self.proxies = proxies
        self.origins = origins
        self.codec = codec
        self.sealer = sealer
        self.clock = clock
        self.timer = timer
        self.entropy = entropy
        self.tasks = tasks
        self.log = OperatorLog(store.name, clock)
        self.created = 0
        self.is_closed = False
        self.reopen_store: Callable[[], Store] | None = None
        self.rests_until = 0.0
        self._set_hooks(hooks)

    def listen(self, hook: Hook) -> None:
        """Call this hook too from now on."""
        self._set_hooks((*self._hooks, hook))

    def unlisten(self, hook: Hook) -> None:
        """Call this hook no more."""
        self._set_hooks([one for one in self._hooks if one is not hook])

    def _set_hooks(self, hooks: Sequence[Hook]) -> None:
        self._hooks = tuple(hooks)
        self.has_hooks = bool(hooks)
        self._timers = tuple(hook for hook in hooks if getattr(hook, "timed", False))
        self.is_timed = bool(self._timers)

    def reopen(self) -> None:
        """Open what was closed when the application stopped, because it starts again.

        Raises:
            ConfigError: it is a store of the application's own.
        """
        if not self.is_closed:
            return
        if self.reopen_store is None:
            raise ConfigError(
                "these sessions were closed, and a store of your own is not opened again: make it, "
                "and Sessions(store=...), where the application starts"
            )
        self.store, self.tasks = self.reopen_store(), BackgroundTasks()
        self.is_closed = False

    def mint(self) -> Ticket:
        """Return a new ticket."""
        return Ticket.mint(self.entropy(ENTROPY))

    def emit(self, event: Event) -> None:
        """Call every hook; what an async one does goes on by itself. A failure harms no request."""
        for hook in self._hooks:
            self._call(hook, event)
        if type(event) in LINES:
            self.log.tell(event)

    def emit_timing(self, event: Timed) -> None:
        """Call the hooks that want to know how long things took."""
        for hook in self._timers:
            self._call(hook, event)

    def intact(self, found: Record | Corrupt | None) -> Record | None:
        """Return a record that was read; one that is not genuine is reported, and is absent.

        Nothing that a store answers is acted upon before it came through here or ``unseal``.
        """
        if found is None or (isinstance(found, Record) and self.sealer.holds(found)):
            return found
        self.emit(Malformed(self.clock(), Key(found.key)))
        return None

    def newest(self, result: CommitResult | ReplaceResult) -> Record | None:
        """Return the record as a rival left it, by the store's answer; None where there is none."""
        if isinstance(result, Conflict):
            return self.intact(result.current)
        return self.intact(result) if isinstance(result, Corrupt) else None

    def unseal(self, record: Record, now: Instant) -> Encoded | None:
        """Return a record's plain values; None, and an event, where somebody tampered with it."""
        try:
            return self.sealer.unseal(record)
        except Forged:
            self.emit(Malformed(now, Key(record.key)))
            return None

    def _call(self, hook: Hook, event: Event) -> None:
        try:
            result = hook(event)
            if result is not None and isawaitable(result):
                self.tasks.start(result, partial(self.log.tell_hook_failure, hook))
        except Exception as error:  # noqa: BLE001  (whatever a listener does wrong)
            self.log.tell_hook_failure(hook, error)
