"""The checks of ``sessile doctor``, in order. Each yields findings; none shows a secret."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from sessile.cli.operator import missing
from sessile.cli.round_trip import round_trip
from sessile.cli.times import timestamp
from sessile.cluster.local import needs_node
from sessile.codecs.sealing import PlainSealer, Sealer
from sessile.core.cookie import Cookie
from sessile.core.flow import run
from sessile.core.principal import LIKELY
from sessile.core.record import Record, RecordKind
from sessile.core.secrets import KeyRing, fingerprint
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, MissingExtra, StoreError
from sessile.service.options import find_key_file, open_place, ring_of_host
from sessile.service.sessions import DEFAULT_URL, Sessions, context_of
from sessile.stores.contract import (
    Capability,
    Corrupt,
    FileBacked,
    HasDiagnosis,
    HasKeyFile,
    HasServerTime,
    Store,
)
from sessile.stores.finding import Finding, fine, note, wrong
from sessile.stores.location import redact
from sessile.stores.near import near_cache
from sessile.wire import system

Clock: TypeAlias = Callable[[], Instant]

_DRIFT: Final[Seconds] = 5.0
"""Clocks further apart than this are not synchronised, which keeps them right to milliseconds."""

_SAMPLE: Final = 100
"""Records that are looked at: the first page."""

_MOST_DRIFT: Final[Seconds] = 60.0
"""Clocks further apart than this end sessions that should live, and keep some that should not."""


def examine(
    url: str | None,
    clock: Clock,
    entropy: Callable[[int], bytes],
    sessions: Sessions | None = None,
) -> Iterator[Finding]:
    """Yield what each check finds, in order. What rests on a failed one is not tried.

    Args:
        url: where sessions are kept; None is where the environment says.
        clock: seconds since 1970.
        entropy: ``n`` random bytes.
        sessions: the application's own, which are closed in the end.
    """
    store = yield from _open(url, sessions)
    reachable = store is not None and (yield from _ping(store, clock))
    sealer: Sealer | None = None
    if store is not None and (reachable or not isinstance(store, FileBacked)):
        sealer = yield from _secrets(store, sessions, url)
    yield from _cookie(sessions)
    if reachable and isinstance(store, HasServerTime):
        yield _compare_clocks(store, clock)
    else:
        yield _clock(clock)
    if store is not None and reachable:
        yield _round_trip(store, clock, entropy)
        yield from _records(store, sealer, sessions)
    if reachable and isinstance(store, HasDiagnosis):
        yield from _diagnose(store)
    if store is not None:
        run(store.close())


def _open(url: str | None, sessions: Sessions | None) -> Generator[Finding, None, Store | None]:
    if sessions is not None:
        store = context_of(sessions).store
        yield fine("URL", f"{store.name}{_file_of(store)} (--app)")
        yield fine("driver", f"{_name_of(store)} is loaded")
        return store
    try:
        setting = system.setting("SESSILE_URL")
    except ConfigError as error:
        yield wrong("URL", error)
        return None
    place = _place(url)
    source = "--url" if url else "SESSILE_URL" if setting else "the default"
    try:
        store = open_place(place)
    except MissingExtra as error:
        yield fine("URL", f"{redact(place)} ({source})")
        yield wrong("driver", error)
        return None
    except ConfigError as error:
        yield wrong("URL", f"{error} ({source})")
        return None
    yield fine("URL", f"{store.name}{_file_of(store)} ({source})")
    yield fine("driver", f"{_name_of(store)} can be loaded")
    return store


def _place(url: str | None) -> str:
    return url or system.setting("SESSILE_URL") or DEFAULT_URL


def _name_of(store: Store) -> str:
    """Return the name of the driver, also behind a near cache."""
    near = near_cache(store)
    return type(store if near is None else near.store).__name__


def _file_of(store: Store) -> str:
    return f", the file {store.path}" if isinstance(store, FileBacked) else ""


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


def _secrets(
    store: Store, sessions: Sessions | None, url: str | None
) -> Generator[Finding, None, Sealer | None]:
    """Tell the secrets apart; return what proves records under them, where they are known."""
    if sessions is not None:
        context = context_of(sessions)
        prints = ", ".join(map(fingerprint, context.ring))
        yield fine("secrets", f"{len(context.ring)} in the application, newest first: {prints}")
        if isinstance(context.sealer, PlainSealer):
            yield note("secrets", "values are stored unsealed; give secrets to seal them")
        yield from _judge_key_file(store, context.ring)
        return context.sealer
    try:
        given = system.setting("SESSILE_SECRETS") is not None
        if not given and isinstance(store, HasKeyFile) and not store.key_path.exists():
            yield note(
                "secrets",
                f"none given here, and there is no key file {store.key_path}: the application "
                "makes it, unless it has secrets=[...] in its code, which --app shows",
            )
            return None
        place = _place(url)
        is_local = not given and needs_node(place)
        own = [*ring_of_host(store, place, system.entropy)] if is_local else None
        context = context_of(Sessions(store=store, secrets=own))
    except ConfigError as error:
        blind = " (secrets=[...] in the application's code is seen with --app alone)"
        yield wrong("secrets", f"{error}{'' if _is_set('SESSILE_SECRETS') else blind}")
        return None
    prints = ", ".join(map(fingerprint, context.ring))
    if given:
        yield fine("secrets", f"{len(context.ring)} in SESSILE_SECRETS, newest first: {prints}")
        yield from _judge_key_file(store, context.ring)
    else:
        yield fine("secrets", f"none given; {store.name} keeps one for itself: {prints}")
        yield note("secrets", "values are stored unsealed; set SESSILE_SECRETS to seal them")
    return context.sealer


def _is_set(name: str) -> bool:
    try:
        return system.setting(name) is not None
    except ConfigError:
        return True


def _judge_key_file(store: Store, ring: KeyRing) -> Iterator[Finding]:
    path = find_key_file(store, ring)
    if path is not None:
        yield note(
            "secrets",
            f"the key file {path} is there: sessions from before secrets were given open with "
            f"file:{path} as the last of them, and else not; without any such delete it",
        )


def _cookie(sessions: Sessions | None) -> Iterator[Finding]:
    cookie = Cookie() if sessions is None else sessions.cookie
    whose = "the default" if sessions is None else "the application's"
    yield fine("cookie", f"{whose} is sound: {cookie.issue('...')}")
    if cookie.secure:
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


def _records(store: Store, sealer: Sealer | None, sessions: Sessions | None) -> Iterator[Finding]:
    """Look at some of what is stored, without a word to anybody's hooks or log."""
    if Capability.SCAN not in store.capabilities:
        return
    try:
        found = run(store.scan(batch=_SAMPLE)).records
    except (ConfigError, StoreError):  # the lines above say it
        return
    if sealer is not None:
        yield from _judge_proofs(found, sealer, sessions)
    principal = None if sessions is None else context_of(sessions).principal
    if sessions is None or (principal is not None and principal.is_assumed):
        yield from _judge_principal(found)


def _judge_proofs(
    found: Sequence[Record | Corrupt], sealer: Sealer, sessions: Sessions | None
) -> Iterator[Finding]:
    strange = sum(not (isinstance(one, Record) and sealer.holds(one)) for one in found)
    if not strange:
        return
    known = sessions is not None or _is_set("SESSILE_SECRETS")
    advice = (
        "add the secrets they were stored under to SESSILE_SECRETS, last"
        if known
        else "if secrets=[...] stands in the application's code, name it with --app"
    )
    yield (wrong if known else note)(
        "records",
        f"{strange} of the {len(found)} that were looked at do not prove genuine under these "
        f"secrets: whoever comes for one of them is logged out; {advice}",
    )


def _judge_principal(found: Sequence[Record | Corrupt]) -> Iterator[Finding]:
    """Look for values that usually say who is logged in, in sessions of nobody."""
    nobodys = [one.data for one in found if isinstance(one, Record) and _is_of_nobody(one)]
    for key in sorted(LIKELY):
        number = sum(key in data for data in nobodys)
        if number:
            yield note(
                "principal",
                f"{number} of the {len(found)} that were looked at hold {key!r}, and nobody is "
                "logged in to them: if it says who is, write "
                f"Sessions(principal={key!r}), or a login gets no new id and is in no list; else "
                "write Sessions(principal=None)",
            )


def _is_of_nobody(record: Record) -> bool:
    """Tell whether it is a session to which nobody is logged in."""
    return record.kind is RecordKind.SESSION and record.owner is None and record.pending is None


def _milliseconds(spent: Seconds) -> str:
    return f"{spent * 1000:.1f} ms"
