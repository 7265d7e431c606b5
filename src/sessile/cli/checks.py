"""The checks of ``sessile doctor``, in order. Each yields findings; none shows a secret."""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Final, TypeAlias

from sessile.cli.operator import missing
from sessile.cli.round_trip import round_trip
from sessile.cli.times import timestamp
from sessile.core.cookie import Cookie
from sessile.core.flow import run
from sessile.core.record import Record
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

_SAMPLE: Final = 100
"""Records that are looked at: the first page."""

_MOST_DRIFT: Final[Seconds] = 60.0
"""Clocks further apart than this end sessions that should live, and keep some that should not."""


def examine(url: str | None, clock: Clock, entropy: Callable[[int], bytes]) -> Iterator[Finding]:
    """Yield what each check finds, in order. What rests on a failed one is not tried."""
    store = yield from _open(url)
    reachable = store is not None and (yield from _ping(store, clock))
    if store is not None and (reachable or not isinstance(store, FileBacked)):
        yield from _secrets(store)  # of a file it may make a key file, beside a database alone
    yield from _cookie()
    if reachable and isinstance(store, HasServerTime):
        yield _compare_clocks(store, clock)
    else:
        yield _clock(clock)
    if store is not None and reachable:
        yield _round_trip(store, clock, entropy)
        yield from _records(store)
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
    where = f", the file {store.path}" if isinstance(store, FileBacked) else ""
    yield fine("URL", f"{store.name}{where} ({source})")
    yield fine("driver", f"{type(store).__name__} can be loaded")
    return store


def _ping(store: Store, clock: Clock) -> Generator[Finding, None, bool]:
    if isinstance(store, FileBacked) and not store.path.exists():
        yield wrong("store", missing(store.path))
        return False
    started = clock()
    try:
        run(store.ping())
    except StoreError as error:
        yield wrong("store", error)
        return False
    yield fine("store", f"answered in {_milliseconds(clock() - started)}")
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


def _records(store: Store) -> Iterator[Finding]:
    """Look whether some of what is stored opens, without a word to anybody's hooks or log."""
    if Capability.SCAN not in store.capabilities:
        return
    try:
        sealer = context_of(Sessions(store=store)).sealer
        found = run(store.scan(batch=_SAMPLE)).records
    except (ConfigError, StoreError):  # the lines above say it
        return
    strange = sum(not (isinstance(one, Record) and sealer.holds(one)) for one in found)
    if not strange:
        return
    given = system.setting("SESSILE_SECRETS") is not None
    advice = (
        "add the secrets they were stored under to SESSILE_SECRETS, last"
        if given
        else "if secrets=[...] stands in the application's code, set SESSILE_SECRETS to it here"
    )
    yield (wrong if given else note)(
        "records",
        f"{strange} of the {len(found)} that were looked at do not prove genuine under these "
        f"secrets: whoever comes for one of them is logged out; {advice}",
    )


def _milliseconds(spent: Seconds) -> str:
    return f"{spent * 1000:.1f} ms"
