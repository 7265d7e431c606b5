"""The rows of an LMDB file, as whoever may write it can change them, with every checksum right."""

from sessile.core.flow import run
from sessile.stores.lmdb import LMDBStore
from sessile.stores.lmdb_rows import Row, Rows, digest_of, unpack_row


def write_rows(path, act):
    """Let somebody change the rows of a file that may be in use, in this process too."""
    store = LMDBStore(path, limit=20)
    try:
        return run(store._file.write("lmdb test", lambda transaction: act(Rows(transaction))))
    finally:
        run(close(store))


def read_rows(path, act):
    """Let somebody look at the rows of a file."""
    store = LMDBStore(path, limit=20)
    try:
        return run(store._file.read("lmdb read", lambda transaction: act(Rows(transaction))))
    finally:
        run(close(store))


async def close(store):
    """Close a store, whose file others of this process may go on using."""
    await store.close()


def spoil_row(rows, key, blob):
    """Put bytes where a row keeps its record, and let the rest be as it is."""
    row = unpack_row(rows.get(key))
    rows.put(key, row._replace(blob=blob), row)


def plant_row(rows, key, version, owner, blob):
    """Put a row where there may be one, as the first login of an owner, or of nobody."""
    value = rows.get(key)
    last = None if value is None else unpack_row(value)
    claim = (
        0
        if owner is None
        else last.claim
        if last and last.claim
        else rows.next_claim(digest_of(owner))
    )
    rows.put(key, Row(version, 1e12, claim, digest_of(owner), blob), last)


def enter_row(rows, key, owner):
    """Put a row into the index of an owner, or of nobody."""
    row = unpack_row(rows.get(key))
    claim = 0 if owner is None else rows.next_claim(digest_of(owner))
    rows.put(key, row._replace(owner=digest_of(owner), claim=claim), row)
