"""Find the store a URL names, through the entry points of ``sessile.stores``.

A package brings a new store with one line in its metadata; ``stores.location`` takes URLs apart.
"""

from difflib import get_close_matches
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import Final, Protocol, cast

from sessile.errors import ConfigError, MissingExtra
from sessile.stores.contract import Store
from sessile.stores.location import Location

GROUP: Final = "sessile.stores"

BUILT_IN: Final = EntryPoints(
    EntryPoint(scheme, place, GROUP)
    for scheme, place in {
        "memory": "sessile.stores.memory:MemoryStore",
        "sqlite": "sessile.stores.sqlite:SQLiteStore",
        "redis": "sessile.stores.redis:RedisStore",
        "rediss": "sessile.stores.redis:RedisStore",
        "unix": "sessile.stores.redis:RedisStore",
    }.items()
)
"""What the package's own metadata says, for a checkout that was never installed."""

_EXTRAS: Final = {"redis": "redis"}  # driver's module → the extra that brings it


class Opens(Protocol):
    """A store's class, as the entry point names it."""

    def from_url(self, url: str) -> Store:
        """Return the store of that URL; see ``contract.Store.from_url``."""
        ...


def open_store(url: str) -> Store:
    """Return the store that a URL names. Nothing is connected yet.

    Raises:
        ConfigError: no such scheme, or the URL is wrong; says what to write instead.
        MissingExtra: the store's driver is not installed.
    """
    scheme = Location(url).scheme
    door = _door(scheme)
    try:
        chosen = cast("Opens", door.load())
        return chosen.from_url(url)
    except ModuleNotFoundError as error:
        raise _missing(scheme, error) from error


def schemes() -> list[str]:
    """Return the schemes that can be opened here, sorted."""
    return sorted(BUILT_IN.names | entry_points(group=GROUP).names)


def _door(scheme: str) -> EntryPoint:
    found = entry_points(group=GROUP, name=scheme) or BUILT_IN.select(name=scheme)
    places = {door.value: door for door in found}  # one package may be found twice on the path
    if len(places) > 1:
        raise ConfigError(f"{scheme}:// is offered by {' and '.join(places)}; uninstall one")
    if not places:
        near = get_close_matches(scheme, schemes(), n=1)
        guess = f"did you mean {near[0]}://? " if near else ""
        known = ", ".join(f"{name}://" for name in schemes())
        raise ConfigError(f"no store is known for {scheme}://: {guess}known are {known}")
    return places.popitem()[1]


def _missing(scheme: str, error: ModuleNotFoundError) -> ConfigError:
    module = (error.name or "").partition(".")[0]
    if module in _EXTRAS:
        return MissingExtra(f"{scheme}://", _EXTRAS[module])
    return ConfigError(f"the store of {scheme}:// needs the Python module {error.name}; install it")
