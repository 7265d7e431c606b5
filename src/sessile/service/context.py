"""What every use case needs, put together once by ``service.sessions``."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING

from sessile.codecs.sealing import Forged, Sealer
from sessile.core.carrier import Carriers
from sessile.core.flow import arun, run
from sessile.core.origin import Origins
from sessile.core.outage import Outage
from sessile.core.policy import Policy
from sessile.core.principal import Principal
from sessile.core.proxies import Proxies
from sessile.core.record import Corrupt, Record
from sessile.core.route import ServerRoute
from sessile.core.secrets import KeyRing
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.core.value import Codec, Encoded, Instant, Seconds
from sessile.core.version_hint import VersionHints
from sessile.errors import ConfigError
from sessile.service.events import Event, Hook, Malformed, Timed
from sessile.service.operator_log import LINES, OperatorLog
from sessile.service.watchers import Watchers
from sessile.stores.contract import CommitResult, Conflict, ReplaceResult, Store
from sessile.stores.feed import follower_of
from sessile.stores.near import NearStore, near_cache
from sessile.stores.url_options import WATCH
from sessile.wire.background.tasks import BackgroundTasks
from sessile.wire.feed.follower import Follower
from sessile.wire.per_loop import PerLoop
from sessile.wire.term_signal import TermSignal

if TYPE_CHECKING:
    from sessile.service.worker import ServerWorker


class Context:
    """The collaborators of the flows. Time and entropy come in here and nowhere else.

    Attributes:
        has_hooks: whether anybody listens to events.
        is_timed: whether anybody wants to know how long things took.
        created: how many records were made so far.
        follower: of the store's feed; None for none.
        is_closed: whether the store was closed.
        is_drained: whether clients are to go to other servers from now on.
        hints: the cookies that say what version a client has seen; None without ``near``.
        is_leaving: whether this process is about to end, and drains whatever its server does.
        log: what an operator is told without a hook.
        near: the copies in front of the store; None for none.
        reopen_store: opens the store again after a close; None where that is not ours to do.
        reads_from_copies_until: when the store is asked again, by ``timer``, while it fails; 0.0
            otherwise: see ``service.near``.
        route: this server's, for a sticky balancer; None where it has no name.
        rests_until: when housekeeping is tried again, by ``timer``; see ``service.housekeeping``.
        term_signal: held back while this process drains; None where nobody has asked for it.
        watchers: of sessions that somebody has open, by their event loops; see ``service.watch``.
        watches_every: seconds between two looks at one of those, where the store tells nobody.
        worker: this process as one of a server's; None where that has no name.
    """

    __slots__ = (
        "__weakref__", "_hooks", "_timers", "carriers", "clock", "codec", "created", "entropy",
        "follower", "has_hooks", "hints", "is_closed", "is_drained", "is_leaving", "is_timed",
        "log", "near", "origins", "policy", "principal", "proxies", "reads_from_copies_until",
        "reopen_store", "rests_until", "ring", "route", "sealer", "store", "tasks", "term_signal",
        "timer", "watchers", "watches_every", "worker",
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
        route: ServerRoute | None = None,
        watches_every: Seconds = WATCH,
    ) -> None:
        self.watchers: PerLoop[Watchers] = PerLoop()
        self.watches_every = watches_every
        self.policy = policy
        self._take(store)
        self.ring = ring
        self.principal = principal
        self.carriers = carriers
        self.hints = None if self.near is None else VersionHints(carriers)
        self.proxies = proxies
        self.route = route
        self.origins = origins
        self.codec = codec
        self.sealer = sealer
        self.clock = clock
        self.timer = timer
        self.entropy = entropy
        self.tasks = tasks
        self.log = OperatorLog(store.name, clock)
        self.created = 0
        self.is_closed = self.is_drained = self.is_leaving = False
        self.term_signal: TermSignal | None = None
        self.worker: ServerWorker | None = None
        self.reopen_store: Callable[[], Store] | None = None
        self.rests_until = self.reads_from_copies_until = 0.0
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

    def begin(self) -> None:
        """Be ready when an ASGI server starts, which has put its handlers of signals in place.

        Raises:
            ConfigError: the store was closed, and cannot be opened again.
        """
        self.reopen()
        if self.worker is not None:
            self.worker.rounds.start()
        if self.term_signal is not None:
            self.term_signal.hold()

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
        self._take(self.reopen_store())
        self.tasks = BackgroundTasks()
        self.is_closed = False

    def _take(self, store: Store) -> None:
        self.store: Store = store
        self.near: NearStore | None = near_cache(store)
        if self.near is not None and self.policy.outage is Outage.READ:
            self.near.probe_outages()
        self.follower: Follower | None = follower_of(store)
        if self.follower is not None:
            self.follower.listen(self._hear, self._list_keys)

    def follow(self) -> None:
        """Begin to follow the store's feed, if it has one; harmless when repeated."""
        if self.follower is not None:
            self.follower.start()

    def is_followed(self) -> bool:
        """Tell whether the store's feed is followed, and passes nothing over just now."""
        return self.follower is not None and self.follower.is_fresh()

    def _hear(self, keys: Collection[Key] | None) -> None:
        self.sealer.forget(keys)
        for watchers in self.watchers.all():
            watchers.hear(keys)

    def _list_keys(self) -> list[Key]:
        return [key for watchers in self.watchers.all() for key in watchers.list_keys()]

    def drain(self, *, is_drained: bool) -> None:
        """Send clients to other servers, or take them again; all workers of the server do so."""
        self.is_drained = is_drained or self.is_leaving
        if self.worker is not None:
            self.worker.drain(is_drained=is_drained)

    def leave(self) -> None:
        """Send the clients of this process to others until it ends, those of its server or not."""
        self.is_leaving = self.is_drained = True

    def close(self) -> None:
        """Let async hooks finish, for a few seconds; watch nothing more, and close the store."""
        if self.worker is not None:
            self.worker.close()
        self._stop()
        self.tasks.close()
        run(self.store.close())

    async def aclose(self) -> None:
        """Do the same on an event loop."""
        here = self.watchers.find()
        if self.worker is not None:
            await self.worker.aclose()
        self._stop()
        if here is not None:
            await here.waker.aclose()
        await self.tasks.aclose()
        await arun(self.store.close())

    def _stop(self) -> None:
        self.is_closed = True
        if self.follower is not None:
            self.follower.close()
        for watchers in self.watchers.all():
            watchers.waker.close()
        self.watchers.reset()

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
