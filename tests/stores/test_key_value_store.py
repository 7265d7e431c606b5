"""A store of rows that change one at a time keeps what one with transactions does."""

from harness.dict_rows import DictPlace, DictStore
from sessile.testing.conformance import SessionContract
from sessile.testing.place import Backend

DICT = Backend("dict", DictStore, DictPlace)


class TestRowsByThemselves(SessionContract, backends=[DICT]):
    """The contract, on rows and indexes without a transaction over two of them."""
