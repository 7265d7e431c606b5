"""What the feed of an LMDB file looks at. ``wire.feed.polling`` compares; ``lmdb`` opens it.

Each commit, of any process, has a number, which the next transaction shows. Who ends everybody
begins a generation.
"""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final, TypeVar

from sessile.core.flow import run
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.contract import Key
from sessile.stores.lmdb_rows import find_version, generation_of
from sessile.wire.feed.polling import Glance
from sessile.wire.lmdb.environment import Environment
from sessile.wire.lmdb.file import LMDBFile

R = TypeVar("R")

_FEED: Final = "lmdb feed"


class LMDBVersions:
    """The versions of the rows of a file.

    Args:
        file: the store's.
        name: what errors call it.
    """

    def __init__(self, file: LMDBFile, name: str) -> None:
        self._file = file
        self._name = name
        self._number = 0  # of the newest commit that was seen

    def glance(self) -> Glance:
        """Look at the number of the newest commit."""
        era, number = self._ask(_read_era)
        is_written, self._number = number != self._number, number
        return Glance(era, is_written)

    def find_versions(self, keys: Collection[Key]) -> dict[Key, bytes]:
        """Return how some rows begin."""
        act = partial(_find, keys=keys)
        return self._ask(lambda environment: environment.read(act))

    def _ask(self, call: Callable[[Environment], R]) -> R:
        try:
            return run(self._file.ask(_FEED, call))
        except ConfigError as error:  # another file, and none of ours: it may be put right
            raise StoreUnavailable(self._name, str(error)) from error


def _read_era(environment: Environment) -> tuple[tuple[Environment, bytes], int]:
    generation, number = environment.read(_read_numbers)
    return (environment, generation), number  # another file has an environment of its own


def _read_numbers(transaction: Any) -> tuple[bytes, int]:
    return generation_of(transaction), transaction.id()


def _find(transaction: Any, keys: Collection[Key]) -> dict[Key, bytes]:
    found = ((key, find_version(transaction, key)) for key in keys)
    return {key: version for key, version in found if version is not None}
