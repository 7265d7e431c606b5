"""The checks of ``sessile doctor``, in order. Each yields findings; none shows a secret."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from sessile.cli.round_trip import round_trip
from sessile.cli.times import timestamp
from sessile.core.cookie import Cookie
from sessile.core.flow import run
from sessile.core.secrets import fingerprint
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, MissingExtra, StoreError
from sessile.service.sessions import DEFAULT_URL, Sessions, context_of
from sessile.stores.contract import Capability, FileBacked, HasDiagnosis, HasServerTime, Store
from sessile.stores.finding import Finding, fine, note, wrong
from sessile.stores.location import redact
from sessile.stores.open import open_store
from sessile.wire import system

Clock: TypeAlias = Callable[[], Instant]

_DRIFT: Final[Seconds] = 5.0
"""Clocks further apart than this are not synchronised, which keeps them right to milliseconds."""

_MOST_DRIFT: Final[Seconds] = 60.0
"""Clocks further apart than this end sessions that should live, and keep some that should not."""


def examine(url: str | None, clock: Clock, entropy: Callable[[int], bytes]) -> Iterator[Finding]:
    """Yield what each check finds, in order. What rests on a failed one is not tried."""
    store = yield from _open(url)
    reachable = store is not None and (yield from _ping(store, clock))
    if store is not None:
        yield from _secrets(store)
    yield from _cookie()
    if reachable and isinstance(store, HasServerTime):
        yield _compare_clocks(store, clock)
    else:
        yield _clock(clock)
    if store is not None and reachable:
        yield _round_trip(store, clock, entropy)
    if reachable and isinstance(store, HasDiagnosis):
        yield from _diagnose(store)
    if store is not None:
        run(store.close())


def _open(url: str | None) -> Generator[Finding, None, Store | None]:
    setting = system.setting("SESSILE_URL")
    place = url or setting or DEFAULT_URL
    source = "--url" if url else "SESSILE_URL" if setting else "the default"
    try:
        store = open_store(place)
    except MissingExtra as error:
        yield fine("URL", f"{redact(place)} ({source})")
        yield wrong("driver", error)
        return None
    except ConfigError as error:
        yield wrong("URL", f"{error} ({source})")
        return None
    yield fine("URL", f"{store.name} ({source})")
    yield fine("driver", f"{type(store).__name__} can be loaded")
    return store


def _ping(store: Store, clock: Clock) -> Generator[Finding, None, bool]:
    missing = isinstance(store, FileBacked) and not store.path.exists()
    started = clock()
    try:
        run(store.ping())
    except StoreError as error:
        yield wrong("store", error)
        return False
    yield fine("store", f"answered in {_milliseconds(clock() - started)}")
    if isinstance(store, FileBacked) and missing:
        yield note("store", f"there was no database yet; {store.path} has just been made")
    if Capability.SHARED not in store.capabilities:
        yield note("store", "each process has sessions of its own, which end with it")
    return True


def _secrets(store: Store) -> Iterator[Finding]:
    given = system.setting("SESSILE_SECRETS") is not None
    try:
        ring = context_of(Sessions(store=store)).ring
    except ConfigError as error:
        blind = "" if given else " (secrets=[...] in the application's code cannot be seen here)"
        yield wrong("secrets", f"{error}{blind}")
        return
    prints = ", ".join(map(fingerprint, ring))
    if given:
        yield fine("secrets", f"{len(ring)} in SESSILE_SECRETS, newest first: {prints}")
        return
    yield fine("secrets", f"none given; {store.name} keeps one for itself: {prints}")
    yield note("secrets", "values are stored unsealed; set SESSILE_SECRETS to seal them")


def _cookie() -> Iterator[Finding]:
    yield fine("cookie", f"the default is sound: {Cookie().issue('...')}")
    yield note(
        "cookie",
        "browsers send it over https alone; for http in development write Cookie(secure=False)",
    )


def _clock(clock: Clock) -> Finding:
    """Judge this machine's clock by the one instant that has passed for certain."""
    now, installed = clock(), Path(__file__).stat().st_mtime
    if now < installed:
        return wrong(
            "clock",
            f"{timestamp(now)} is before sessile was installed, {timestamp(installed)}; "
            "set this machine's clock",
        )
    return fine("clock", f"{timestamp(now)}, which was compared with no other clock")


def _compare_clocks(store: HasServerTime, clock: Clock) -> Finding:
    before = clock()
    try:
        theirs = run(store.server_time())
    except StoreError as error:  # a user that may do everything else may still not ask for the time
        return note("clock", f"{timestamp(before)}; the store's clock could not be asked: {error}")
    after = clock()
    drift = (before + after) / 2 - theirs
    if abs(drift) <= _DRIFT + (after - before) / 2:
        return fine("clock", f"{timestamp(after)}, {_milliseconds(abs(drift))} from the store's")
    relation = "ahead of" if drift > 0 else "behind"
    judge = wrong if abs(drift) > _MOST_DRIFT else note
    return judge(
        "clock",
        f"{abs(drift):.0f} s {relation} the store's, and no two servers may be more than "
        f"{_MOST_DRIFT:.0f} s apart; synchronise both machines with NTP, as by: "
        "timedatectl set-ntp true",
    )


def _diagnose(store: HasDiagnosis) -> Iterator[Finding]:
    try:
        yield from run(store.diagnose())
    except StoreError as error:
        yield wrong("server", error)


def _round_trip(store: Store, clock: Clock, entropy: Callable[[int], bytes]) -> Finding:
    started = clock()
    try:
        broken = run(round_trip(store, started, entropy))
    except StoreError as error:
        return wrong("round trip", error)
    if broken is not None:
        return wrong("round trip", broken)
    spent = _milliseconds(clock() - started)
    return fine("round trip", f"made, read, changed and deleted a throw-away session in {spent}")


def _milliseconds(spent: Seconds) -> str:
    return f"{spent * 1000:.1f} ms"
