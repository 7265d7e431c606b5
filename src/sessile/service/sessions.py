"""``Sessions``: one object an application makes at start. The verbs are flows, in both colours."""

import math
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from enum import Enum
from functools import partial
from typing import Final, TypeVar

from sessile.codecs.msgpack import ValueCodec
from sessile.core.carrier import Carrier, Carriers
from sessile.core.cookie import Cookie
from sessile.core.flow import Flow, arun, run
from sessile.core.info import SessionInfo
from sessile.core.options import suggest_options
from sessile.core.origin import Origins
from sessile.core.policy import Policy
from sessile.core.principal import WELL_KNOWN, PrincipalOf
from sessile.core.proxies import Proxies
from sessile.core.session import Session
from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError
from sessile.service import csrf, manage
from sessile.service.bounded_load import BOUND
from sessile.service.context import Context
from sessile.service.events import Hook
from sessile.service.manage import AnyOwner
from sessile.service.options import (
    can_reopen,
    check_bound,
    check_function,
    check_hooks,
    check_kind,
    check_policy,
    open_stores,
    place_of,
    principal_of,
    ring_of_host,
    ring_of_settings,
    route_of,
    sealer_of,
    tell_key_file,
    watch_of,
)
from sessile.service.require import use_grant
from sessile.service.worker import ServerWorker
from sessile.stores.contract import Store
from sessile.wire import system
from sessile.wire.background.tasks import BackgroundTasks
from sessile.wire.event_loop import require_asyncio
from sessile.wire.term_signal import TermSignal

R = TypeVar("R")

DEFAULT_URL: Final = "sqlite:///sessile.db"
_SWEEP: Final = 1000


class Sealing(Enum):
    """Whether values are encrypted at rest. Records are proved in any case."""

    WHEN_SECRETS_ARE_GIVEN = "when secrets are given"
    OFF = "off"  # whoever reads the store, its backups or its traffic reads the values


@suggest_options
class Sessions:
    """All sessions of an application.

    Args:
        url: where sessions are kept; None takes ``SESSILE_URL``, else ``sqlite:///sessile.db``.
        secrets: the key ring, newest first, as ``sessile keygen`` prints them; None takes
            ``SESSILE_SECRETS`` (newest first, separated by commas), else a store on this host
            keeps one of its own. ``"file:sessile.db.key"`` is the one that it kept before.
        policy: lifetimes and limits.
        principal: where the values say who is logged in, for code that knows nothing of ``login``,
            as Flask-Login: a key, several of which the first counts that is there, or a function of
            the values. When it changes, the commit does what ``login`` or ``logout`` would. None is
            nowhere; unless said, ``_user_id``, ``_auth_user_id`` and ``user_id``.
        cookie: the cookie's name and attributes.
        carriers: how tickets may travel instead, as in ``[Cookie(), Bearer()]``; None is the cookie
            alone. The first one is for whoever comes without a ticket.
        origins: which other sites may send requests that change something; None is no other.
        proxies: whose word is taken on where a request came from; None is nobody's.
        sealing: whether values are encrypted at rest.
        hooks: called with each event (see ``sessile.service.events``), before the answer leaves; an
            async one is started then, and finishes on its own.
        store: a store of your own, instead of a URL.
        former: where sessions were kept so far, a URL or a store: each moves from there when it is
            first asked for, or by ``sessile copy``. None takes ``SESSILE_FORMER_URL``, if any.
        server: this server's name, by which a sticky balancer knows it: whoever has a session here
            is handed a cookie that leads back. None takes ``SESSILE_SERVER``, if any.
        load_bound: how many times the mean of all servers this one may have of live sessions; it
            sends others to another server, one at a time, at their next request. None keeps all.
        clock: seconds since 1970.
        entropy: ``n`` bytes from a cryptographic source.

    Attributes:
        cookie: the cookie's name and attributes.
        policy: lifetimes and limits.
        proxies: whose word is taken on where a request came from.

    Raises:
        ConfigError: something is wrong; the message says what to write instead.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        secrets: Iterable[str | bytes] | None = None,
        policy: Policy | None = None,
        principal: str | Sequence[str] | PrincipalOf | None = WELL_KNOWN,
        cookie: Cookie | None = None,
        carriers: Sequence[Cookie | Carrier] | None = None,
        origins: Origins | None = None,
        proxies: Proxies | None = None,
        sealing: Sealing = Sealing.WHEN_SECRETS_ARE_GIVEN,
        hooks: Sequence[Hook] = (),
        store: Store | None = None,
        former: str | Store | None = None,
        server: str | None = None,
        load_bound: float | None = BOUND,
        clock: Callable[[], Instant] = system.clock,
        entropy: Callable[[int], bytes] = system.entropy,
    ) -> None:
        check_kind(str, '"sqlite:///file.db"', url=url)
        check_kind(Policy, "Policy(...)", policy=policy)
        check_kind(Cookie, "Cookie(...)", cookie=cookie)
        check_kind(Sequence, "[Cookie(), ...]", carriers=carriers)
        check_kind(Origins, "Origins(...)", origins=origins)
        check_kind(Proxies, "Proxies(...)", proxies=proxies)
        check_kind(str, '"a"', server=server)
        check_bound(load_bound)
        check_kind(Sealing, "Sealing.OFF", sealing=sealing)
        check_hooks(hooks)
        check_function("time.time", clock=clock)
        check_function("os.urandom", entropy=entropy)
        place = place_of(url, store) or DEFAULT_URL
        former = former or system.setting("SESSILE_FORMER_URL")
        reopen = partial(open_stores, place, former, clock)
        store = reopen()
        given = ring_of_settings(secrets)
        ways = Carriers.of(cookie, carriers)
        route = route_of(server, given, ways)
        ring = given or ring_of_host(store, place, entropy)
        if given is not None:
            tell_key_file(store, given)
        sealed = given is not None and sealing is Sealing.WHEN_SECRETS_ARE_GIVEN
        sealer = sealer_of(store, ring, entropy, is_sealed=sealed)
        cookies = (one for one in carriers or () if isinstance(one, Cookie))
        self.cookie = cookie or next(cookies, Cookie())
        self.policy = policy or Policy()
        check_policy(store, self.policy)
        self.proxies = proxies or Proxies()
        self._context = Context(
            store=store,
            ring=ring,
            policy=self.policy,
            principal=principal_of(principal),
            carriers=ways,
            origins=origins or Origins(),
            proxies=self.proxies,
            codec=ValueCodec(),
            sealer=sealer,
            clock=clock,
            timer=system.timer,
            entropy=entropy,
            hooks=hooks,
            tasks=BackgroundTasks(),
            route=route,
            watches_every=watch_of(place),
        )
        if route is not None:
            self._context.worker = ServerWorker(route.server, self._context, load_bound)
        self._context.reopen_store = reopen if can_reopen(place, former) else None
        self.sync = SyncSessions(self._context)

    @property
    def is_drained(self) -> bool:
        """Whether clients are to go to other servers, which a health page tells a balancer."""
        return self._context.is_drained

    def drain(self) -> None:
        """Send clients to other servers, each with its next request. This one serves all the while.

        For a server that is to be stopped: where it has a route, its own is taken back from whoever
        brings it. A balancer is told by the page of ``is_drained``, and sends nobody new. It holds
        for all workers of this server, each a second later, and for those that are started anew,
        until ``undrain``, as ``sessile drain`` does; without ``server=`` for this process alone.
        """
        self._context.drain(is_drained=True)

    def undrain(self) -> None:
        """Take clients again."""
        self._context.drain(is_drained=False)

    def drain_at_sigterm(self, seconds: Seconds = 5.0) -> None:
        """Have SIGTERM drain this process for a while, before the web server hears of it and ends.

        So the balancer, which looks at the page of ``readiness``, sends nobody to a server that is
        gone. Its other workers and those that are started anew do not drain for it. Call it where
        the application is made. It works under uvicorn, and under gunicorn without ``--preload``
        and without gevent.

        Args:
            seconds: how long; longer than the balancer needs to notice.

        Raises:
            ConfigError: that is no time.
        """
        given: object = seconds
        if type(given) not in {int, float} or not 0 < seconds < math.inf:
            raise ConfigError(f"drain_at_sigterm({seconds!r}): write seconds, as in 5.0")
        self._context.term_signal = TermSignal(partial(_leave, self._context, seconds))
        self._context.term_signal.hold()

    async def of(self, user: str, *, current: Key | Session | None = None) -> list[SessionInfo]:
        """Return a user's live sessions, oldest login first; ``current`` marks one of them.

        Raises:
            NoUser: ``user`` is no text, as None.
            ConfigError: the store keeps no index of a user's sessions.
        """
        return await _arun(manage.sessions_of(self._context, user, current))

    async def show(self, session_id: str) -> SessionInfo | None:
        """Return one live session; None when there is none of that id."""
        return await _arun(manage.show(self._context, session_id))

    async def evidence(self, session_id: str) -> SessionInfo | None:
        """Return the evidence of a session that was ended for theft; its trail ends with why."""
        return await _arun(manage.evidence(self._context, session_id))

    async def spend(self, session: Session, purpose: str) -> None:
        """Spend the grant of a step-up, once and for all, before doing what it was given for.

        Raises:
            StepUpNeeded: there is none, it is too old, or it is spent.
        """
        await _arun(use_grant(self._context, session, purpose))

    async def end(self, session_id: str, *, owner: str | AnyOwner | None = AnyOwner.ANY) -> bool:
        """End one session; every server refuses it at once. False when there was none.

        Args:
            session_id: which one.
            owner: end it only if it is theirs, as ``session.user`` for a user's own list of
                devices; None, which is nobody, ends nothing.

        Raises:
            NoUser: ``owner`` is no text.
        """
        return await _arun(manage.end(self._context, session_id, owner))

    async def end_all(self, user: str, *, keep: Key | Session | None = None) -> int:
        """End a user's sessions but the one to keep; return how many ended.

        In a request that logs in or steps up name the session itself, ``keep=session``: it has two
        ids until its answer leaves.

        Raises:
            NoUser: ``user`` is no text, as None.
            ConfigError: the store keeps no index of a user's sessions.
        """
        return await _arun(manage.end_all(self._context, user, keep))

    async def end_everybody(self) -> str | None:
        """End every session of everybody, as one act; every server refuses them at once.

        For an operator who suspects that sessions were stolen. How many ended nobody counts. Return
        None where no crash of the store can bring them back; else why it may, which is logged too.
        """
        return await _arun(manage.end_everybody(self._context))

    async def sweep(self) -> AsyncIterator[int]:
        """Remove expired sessions in batches, yielding the size of each."""
        while removed := await _arun(manage.sweep(self._context, _SWEEP)):
            yield removed

    async def scan(self) -> AsyncIterator[SessionInfo]:
        """Yield every live session of everybody, each once, in an order of the store's own.

        Raises:
            ConfigError: the store cannot list what it holds.
        """
        seen: set[Key] = set()
        cursor: str | None = None
        while True:
            found, cursor = await _arun(manage.scan(self._context, cursor))
            for info in found:
                if info.id not in seen:
                    seen.add(info.id)
                    yield info
            if cursor is None:
                return

    async def count(self) -> int:
        """Return about how many sessions there are, some that expired lately included."""
        return await _arun(self._context.store.count())

    def csrf_token(self, session: Session) -> str:
        """Return a CSRF token for a page of this session; another text each time.

        A visitor without a session gets one, for the token to belong to. The modules of frameworks
        have a ``csrf_token`` of their own; this is for where there is none.

        Raises:
            TooLate: the answer's headers have left, and there is no session.
        """
        return csrf.issue_token(self._context, session)

    def check_csrf(self, session: Session, token: str | None) -> None:
        """Make sure that a request brought a token of its session.

        Raises:
            TokenNeeded: it brought none, or another session's.
        """
        csrf.check_token(self._context, session, token)

    @property
    def name(self) -> str:
        """Where sessions are kept, without credentials: ``"redis://cache:6379/0"``."""
        return self._context.store.name

    async def ping(self) -> None:
        """Return when the store answers; ``StoreUnavailable`` when it does not."""
        await _arun(self._context.store.ping())

    async def close(self) -> None:
        """Let async hooks finish, for a few seconds; give connections and files back.

        An ASGI application that starts again, as in the next test, opens them again.
        """
        await _arun(self._context.aclose())

    def __repr__(self) -> str:
        return f"<Sessions in {self._context.store.name}>"


class SyncSessions:
    """The same verbs, blocking: for WSGI, scripts and threads."""

    def __init__(self, context: Context) -> None:
        self._shared = context

    def of(self, user: str, *, current: Key | Session | None = None) -> list[SessionInfo]:
        """Return a user's live sessions, oldest login first; ``current`` marks one of them.

        Raises:
            NoUser: ``user`` is no text, as None.
            ConfigError: the store keeps no index of a user's sessions.
        """
        return run(manage.sessions_of(self._shared, user, current))

    def show(self, session_id: str) -> SessionInfo | None:
        """Return one live session; None when there is none of that id."""
        return run(manage.show(self._shared, session_id))

    def evidence(self, session_id: str) -> SessionInfo | None:
        """Return the evidence of a session that was ended for theft; its trail ends with why."""
        return run(manage.evidence(self._shared, session_id))

    def spend(self, session: Session, purpose: str) -> None:
        """Spend the grant of a step-up, once and for all, before doing what it was given for.

        Raises:
            StepUpNeeded: there is none, it is too old, or it is spent.
        """
        run(use_grant(self._shared, session, purpose))

    def end(self, session_id: str, *, owner: str | AnyOwner | None = AnyOwner.ANY) -> bool:
        """End one session; every server refuses it at once. False when there was none.

        Args:
            session_id: which one.
            owner: end it only if it is theirs, as ``session.user`` for a user's own list of
                devices; None, which is nobody, ends nothing.

        Raises:
            NoUser: ``owner`` is no text.
        """
        return run(manage.end(self._shared, session_id, owner))

    def end_all(self, user: str, *, keep: Key | Session | None = None) -> int:
        """End a user's sessions but the one to keep; return how many ended.

        In a request that logs in or steps up name the session itself, ``keep=session``: it has two
        ids until its answer leaves.

        Raises:
            NoUser: ``user`` is no text, as None.
            ConfigError: the store keeps no index of a user's sessions.
        """
        return run(manage.end_all(self._shared, user, keep))

    def end_everybody(self) -> str | None:
        """End every session of everybody, as one act; return why a crash may bring them back."""
        return run(manage.end_everybody(self._shared))

    def sweep(self) -> Iterator[int]:
        """Remove expired sessions in batches, yielding the size of each."""
        while removed := run(manage.sweep(self._shared, _SWEEP)):
            yield removed

    def scan(self) -> Iterator[SessionInfo]:
        """Yield every live session of everybody, each once, in an order of the store's own.

        Raises:
            ConfigError: the store cannot list what it holds.
        """
        seen: set[Key] = set()
        cursor: str | None = None
        while True:
            found, cursor = run(manage.scan(self._shared, cursor))
            for info in found:
                if info.id not in seen:
                    seen.add(info.id)
                    yield info
            if cursor is None:
                return

    def count(self) -> int:
        """Return about how many sessions there are, some that expired lately included."""
        return run(self._shared.store.count())

    def ping(self) -> None:
        """Return when the store answers; ``StoreUnavailable`` when it does not."""
        run(self._shared.store.ping())

    def close(self) -> None:
        """Let async hooks finish, for a few seconds; give connections and files back."""
        self._shared.close()


def _leave(context: Context, seconds: Seconds) -> None:
    context.leave()
    system.sleep(seconds)


def _arun(flow: Flow[R]) -> Flow[R]:
    """Return the flow, to be finished on the event loop, which has to be asyncio's."""
    try:
        require_asyncio()
    except ConfigError:
        flow.close()
        raise
    return arun(flow)


def context_of(sessions: Sessions) -> Context:
    """Return the collaborators of the flows: for frameworks and tools, never for an application."""
    try:
        return sessions._context  # noqa: SLF001  (the one way in, kept out of an editor's sight)
    except AttributeError:
        given = type(sessions).__name__  # and not its repr: a URL may hold a password
        advice = "sessions = Sessions(...)"
        if isinstance(sessions, SyncSessions):
            advice = "sessions, and not sessions.sync"
        raise ConfigError(f"a {given} is no Sessions: write {advice}") from None
