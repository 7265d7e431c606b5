"""Find the store a URL names, through the entry points of ``sessile.stores``.

A package brings a new store with one line in its metadata; ``stores.location`` takes URLs apart.
"""

from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Protocol, cast

from sessile.errors import ConfigError, MissingExtra
from sessile.stores.contract import Store
from sessile.stores.location import Location
from sessile.stores.near import NearStore
from sessile.stores.url_options import split_options
from sessile.wire.feed.log import FeedLog

GROUP: Final = "sessile.stores"

_EXTRAS: Final = {"redis": "redis", "lmdb": "lmdb", "psycopg": "postgres", "nats": "nats"}
"""By the driver's module, the extra that brings it."""


class StoreFactory(Protocol):
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
    place, options = split_options(url)
    scheme = Location(place).scheme
    entry_point = _entry_point(scheme)
    try:
        chosen = cast("StoreFactory", entry_point.load())
        store = chosen.from_url(place)
    except ModuleNotFoundError as error:
        raise _missing(scheme, error) from error
    near = options.near or getattr(store, "near", None)
    if near is None:
        return store
    # what it has no method for, the store behind it has
    return cast("Store", NearStore(store, near, tell=FeedLog(store.name)))


def schemes() -> list[str]:
    """Return the schemes that can be opened here, sorted."""
    return sorted(entry_points(group=GROUP).names)


def _entry_point(scheme: str) -> EntryPoint:
    found = entry_points(group=GROUP, name=scheme)
    places = {point.value: point for point in found}  # one package may be found twice on the path
    if len(places) > 1:
        raise ConfigError(f"{scheme}:// is offered by {' and '.join(places)}; uninstall one")
    if not places:
        raise ConfigError(f"no store is known for {scheme}://: {_schemes_in_words(scheme)}")
    return places.popitem()[1]


def _schemes_in_words(scheme: str) -> str:
    """Return the schemes that there are, in words, and one that may be meant."""
    there = schemes()
    if not there:
        return (
            "no store at all is registered, not even our own; the package has lost its metadata: "
            "install it, as in pip install --editable ."
        )
    near = get_close_matches(scheme, there, n=1)
    guess = f"did you mean {near[0]}://? " if near else ""
    return f"{guess}known are {', '.join(f'{name}://' for name in there)}"


def _missing(scheme: str, error: ModuleNotFoundError) -> ConfigError:
    module = (error.name or "").partition(".")[0]
    if module in _EXTRAS:
        return MissingExtra(f"{scheme}://", _EXTRAS[module])
    return ConfigError(f"the store of {scheme}:// needs the Python module {error.name}; install it")
