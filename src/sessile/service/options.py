"""The options of ``Sessions``: what cannot be meant is refused when it is made, in words."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from inspect import iscoroutinefunction
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from sessile.cluster.local import needs_node
from sessile.codecs.sealing import LARGEST_KNOWN, MOST_KNOWN, AesGcmSealer, PlainSealer, Sealer
from sessile.core.carrier import Carriers, CookieCarrier
from sessile.core.cookie import Cookie
from sessile.core.limit import MOST_SESSIONS
from sessile.core.outage import Outage
from sessile.core.policy import OnReplay, Policy
from sessile.core.principal import WELL_KNOWN, Principal, PrincipalOf
from sessile.core.route import ServerRoute
from sessile.core.secrets import KeyRing
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError
from sessile.stores.contract import Capability, HasKeyFile, Store
from sessile.stores.moving import MovingStore
from sessile.stores.near import LARGEST, near_cache
from sessile.stores.open import open_store
from sessile.stores.url_options import WATCH, split_options
from sessile.wire import system
from sessile.wire.event_loop import green_threads
from sessile.wire.keyfile import load
from sessile.wire.log import log_key_file

if TYPE_CHECKING:
    from sessile.cluster.local_node import LocalNode


def check_kind(kind: type, advice: str, **option: object) -> None:
    """Refuse an option of another kind now, and not with the first request. None is left out.

    Args:
        kind: what it takes.
        advice: what to write instead.
        option: one option and what was given.

    Raises:
        ConfigError: it is of another kind. A text is not shown: a URL may hold a password.
    """
    ((name, given),) = option.items()
    if given is not None and not isinstance(given, kind):
        shown = type(given).__name__ if isinstance(given, str | bytes) else repr(given)
        raise ConfigError(f"{name} is {shown}: write {name}={advice}, or leave it out")


def check_hooks(hooks: object) -> None:
    """Refuse what is no sequence of functions.

    Raises:
        ConfigError: it is none.
    """
    if not isinstance(hooks, Sequence):
        raise ConfigError(f"hooks={hooks!r}: write a list, as in hooks=[log_event]")
    for hook in hooks:
        if not callable(hook):
            raise ConfigError(f"hooks=[{hook!r}]: write a function of one event")
        if isinstance(hook, type):  # each event would make another one, which does nothing
            raise ConfigError(
                f"hooks=[{hook.__name__}] is a class: write hooks=[{hook.__name__}()]"
            )
        green = green_threads()
        if green is not None and _is_async(hook):
            raise ConfigError(
                f"hooks=[{hook!r}]: an async hook needs a thread for its event loop, and {green} "
                f"has replaced threads: write a blocking one, which may hand its work to "
                f"{green}.spawn"
            )


def _is_async(hook: Callable[..., object]) -> bool:
    call = getattr(hook, "__call__", None)  # noqa: B004  (the method of an object that is a hook)
    return iscoroutinefunction(hook) or iscoroutinefunction(call)


def check_store(store: object, option: str = "store") -> None:
    """Refuse what is no store, as a URL.

    Args:
        store: what was given.
        option: as what.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(store, type) or not hasattr(store, "capabilities"):
        kind = store.__name__ if isinstance(store, type) else type(store).__name__
        example = "Sessions(url)" if option == "store" else 'former="sqlite:///sessile.db"'
        raise ConfigError(
            f"{option} is {kind}: write a URL, as in {example}, or a store that was made"
        )


def place_of(url: str | None, store: Store | None) -> str | Store | None:
    """Return where sessions are to be kept, as it was said or is in ``SESSILE_URL``; None if not.

    Raises:
        ConfigError: both were given, or the store is none.
    """
    if store is None:
        return url or system.setting("SESSILE_URL")
    check_store(store)
    if url is not None:
        raise ConfigError("Sessions takes a url or a store, not both; drop one of them")
    return store


def watch_of(place: str | Store) -> Seconds:
    """Return how often a store is asked about open sessions where it tells nobody itself.

    Raises:
        ConfigError: its URL says so in a way that nobody can mean.
    """
    return split_options(place)[1].watch if isinstance(place, str) else WATCH


def can_reopen(place: str | Store, former: str | Store | None) -> bool:
    """Tell whether stores can be opened again after a close: those that URLs name."""
    return isinstance(place, str) and (former is None or isinstance(former, str))


def open_stores(
    place: str | Store, former: str | Store | None, clock: Callable[[], Instant]
) -> Store:
    """Return the store of a URL, or the one that was made; with a former one, what moves from it.

    Raises:
        ConfigError: one of them is none.
    """
    store = _open("store", place)
    if former is None:
        return store
    # its capabilities are those of the store that it was made of, and no URL names it
    return cast("Store", MovingStore(store, _open("former", former), clock=clock))


def _open(option: str, place: str | Store) -> Store:
    if isinstance(place, str):
        return open_place(place)
    check_store(place, option)
    return place


def open_place(url: str) -> Store:
    """Return the store of a URL; where that names no server and needs one, this host's has it.

    Raises:
        ConfigError: there is none.
    """
    return open_store(_local_node().url(url) if needs_node(url) else url)


def check_function(example: str, **option: object) -> None:
    """Refuse an option that is no function.

    Args:
        example: one.
        option: the option and what was given.

    Raises:
        ConfigError: it is none.
    """
    ((name, given),) = option.items()
    if not callable(given):
        raise ConfigError(f"{name} is {type(given).__name__}: write a function, as {example}")


def principal_of(where: str | Sequence[str] | PrincipalOf | None) -> Principal | None:
    """Return where the values say who is logged in, as ``Sessions(principal=...)`` says it.

    Raises:
        ConfigError: it is neither a key, nor keys, nor a function.
    """
    if where is None:
        return None
    if callable(where):
        return Principal(function=where)
    keys: object = (where,) if isinstance(where, str) else where
    if isinstance(keys, Sequence) and keys and all(isinstance(key, str) and key for key in keys):
        return Principal(keys, is_assumed=where is WELL_KNOWN)
    raise ConfigError(
        f'principal={where!r}: write a key of the session, as in principal="user_id", a function '
        "of its values, or None where no code but login says who is logged in"
    )


def route_of(server: str | None, ring: KeyRing | None, carriers: Carriers) -> ServerRoute | None:
    """Return the route of this server; None where it has no name.

    Args:
        server: the name, or None for ``SESSILE_SERVER``.
        ring: the secrets that were given; None for none.
        carriers: of the sessions; the route's cookie is as the first of them.

    Raises:
        ConfigError: there are no secrets, or the name is none.
    """
    name = server or system.setting("SESSILE_SERVER")
    if name is None:
        return None
    if ring is None:
        raise ConfigError(
            f"server={name!r} has a route, which the balancer knows by the secrets of all servers: "
            "set SESSILE_SECRETS to one that they share, as `sessile keygen` prints it"
        )
    cookies = (one.cookie for one in carriers.all if isinstance(one, CookieCarrier))
    return ServerRoute(name, ring.newest, next(cookies, Cookie()))


def check_bound(bound: object) -> None:
    """Refuse a bound by which a server would send away what is no more than its share.

    Raises:
        ConfigError: it is none.
    """
    if bound is not None and not (isinstance(bound, int | float) and bound > 1):
        raise ConfigError(
            f"load_bound={bound!r} is how many times the mean of all servers one may have: write "
            "more than 1, as 1.25, or None to move nobody"
        )


def check_policy(store: Store, policy: Policy) -> None:
    """Refuse a policy that a store would pass over: for want of an index of users, or of copies.

    The limit that nobody asked for is passed over.

    Raises:
        ConfigError: it has a limit, ends all sessions of an owner, or reads from a near cache.
    """
    unmet = [] if policy.limit is None or policy.limit is MOST_SESSIONS else ["limit"]
    unmet += ["on_replay=OnReplay.END_ALL"] if policy.on_replay is OnReplay.END_ALL else []
    if policy.outage is Outage.READ and Capability.COPIES not in store.capabilities:
        raise ConfigError(
            f"outage=Outage.READ serves readers from a near cache, and {store.name} has none: "
            "write near= into its URL, as in redis://localhost:6379/0?near=10000"
        )
    if unmet:
        check_owners(store, f"drop {' and '.join(unmet)} of the policy")


def check_owners(store: Store, advice: str) -> None:
    """Refuse what takes the index of a user's sessions, where a store keeps none.

    Args:
        store: the store.
        advice: what else to do.

    Raises:
        ConfigError: it keeps none.
    """
    if Capability.OWNERS not in store.capabilities:
        raise ConfigError(
            f"{store.name} keeps no index of a user's sessions; {advice}, or use a store with "
            "Capability.OWNERS"
        )


def sealer_of(
    store: Store, ring: KeyRing, entropy: Callable[[int], bytes], *, is_sealed: bool
) -> Sealer:
    """Return the sealer, which proves records, and encrypts values if they are sealed.

    It remembers as many records as a near cache keeps, and as large ones: each is opened once.
    """
    near = near_cache(store)
    most, largest = MOST_KNOWN, LARGEST_KNOWN
    if near is not None:
        most, largest = max(most, near.most), max(largest, LARGEST)
    if is_sealed:
        return AesGcmSealer(ring, entropy, most=most, largest=largest)
    return PlainSealer(ring, most=most, largest=largest)


_FILE: Final = "file:"
_SPELT_OTHERWISE: Final = re.compile(r"""^["'\[]|["'\]]$|[\r\n]""").search


def ring_of_settings(secrets: Iterable[str | bytes] | None) -> KeyRing | None:
    """Return the ring of the secrets that were given, else of ``SESSILE_SECRETS``, if any.

    One that is written ``file:sessile.db.key`` is what that key file holds.

    Raises:
        ConfigError: they are no secrets, or weak ones.
    """
    if secrets is None:
        setting = system.setting("SESSILE_SECRETS")
        if setting is None:
            return None
        secrets = _split_setting(setting)
    if isinstance(secrets, str | bytes) or not isinstance(secrets, Sequence | Iterator):
        return KeyRing(secrets)  # which says what is wrong with it
    return KeyRing(map(_secret, secrets))


def _split_setting(setting: str) -> list[str]:
    """Return the secrets of ``SESSILE_SECRETS``.

    Raises:
        ConfigError: they are separated otherwise, or have what another shell would have taken off,
            so that elsewhere, or with a second one, the same text would be another secret.
    """
    parts = [part.strip() for part in setting.split(",")]
    if any(_SPELT_OTHERWISE(part) for part in parts):
        raise ConfigError(
            "SESSILE_SECRETS has quotes, brackets or a line break in it: write the secrets as "
            "`sessile keygen` prints them, with a comma between two"
        )
    return parts


def _secret(given: str | bytes) -> str | bytes:
    if isinstance(given, str) and given.startswith(_FILE):
        return load(Path(given.removeprefix(_FILE)))
    return given


def tell_key_file(store: Store, ring: KeyRing) -> None:
    """Log that a store has sessions of its key file, maybe, and the given secrets open none."""
    path = find_key_file(store, ring)
    if path is not None:
        log_key_file(path)


def find_key_file(store: Store, ring: KeyRing) -> Path | None:
    """Return the key file of a store that was used before secrets were given; None for none.

    It is not taken by itself: whoever could put one there could make any session.
    """
    if isinstance(store, MovingStore):
        return find_key_file(store.former, ring) or find_key_file(store.store, ring)
    if not isinstance(store, HasKeyFile) or not store.key_path.exists():
        return None
    try:
        return None if load(store.key_path) in ring.all else store.key_path
    except ConfigError:  # so nobody can have used it of late
        return None


def _local_node() -> "LocalNode":
    from sessile.cluster.local_node import local_node  # noqa: PLC0415  (which few need)

    return local_node()


def ring_of_host(store: Store, place: str | Store, entropy: Callable[[int], bytes]) -> KeyRing:
    """Return the ring that a store on this host keeps; a store on the network keeps none.

    Args:
        store: the store.
        place: where it is, as it was said: on the node of this host, maybe, which keeps one.
        entropy: draws a new one.

    Raises:
        ConfigError: it keeps none.
    """
    if isinstance(place, str) and needs_node(place):
        return _local_node().ring
    secret = None if Capability.NETWORK in store.capabilities else store.keep_secret(entropy(32))
    if secret is None:
        raise ConfigError(
            f"{store.name} is shared by servers that must share a secret too: run `sessile keygen` "
            "once and give every server what it prints, as SESSILE_SECRETS or secrets=[...]"
        )
    return KeyRing([secret])
