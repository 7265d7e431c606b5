"""What a store promises about bytes: what comes out is what went in, and nobody's alias."""

import math

from sessile.core.client import Client
from sessile.core.identity import Pending
from sessile.core.record import RecordKind, evolve
from sessile.stores.contract import COMMITTED, Capability, Record, Store
from sessile.testing.clock import T0
from sessile.testing.drive import Drive
from sessile.testing.place import needs
from sessile.testing.sample import change, key, login, record, records_of

EVERY_BYTE = bytes(range(256))


def full(name: str = "a") -> Record:
    """Return a record with something in every field."""
    return record(
        name,
        confirmed=math.nextafter(T0, math.inf),
        owner="álice\n:*",
        assurance=3,
        authenticated_at=T0 - 0.1,
        persistent=True,
        device="Firefox on Linux",
        client=Client("2001:db8::7", "Firefox", "Linux", 2**32 - 1),
        factors=("password", "totp"),
        pending=Pending("álice\n:*", ("password",), T0 + 0.1),
        grants={"pay": T0 + 0.1},
        parent=EVERY_BYTE[:32],
        past=EVERY_BYTE,
        replayed=T0 + 0.3,
        proof=EVERY_BYTE[::-1],
        digest=EVERY_BYTE[112:144],
        data={
            "": b"",
            "\0": b"\0",
            "naïve key\r\n:*?[a]%_": EVERY_BYTE,
            "a" * 1000: b"\xff" * 1000,
        },
    )


class Fidelity:
    """Every field and every byte, however a record was written."""

    def test_created_record_comes_back_whole(self, store: Store, drive: Drive) -> None:
        """Every field of a new record, and every byte of its values, is read as it was written."""
        plain, rich = record("a"), evolve(full("b"), owner=None)
        left = evolve(full("c"), kind=RecordKind.EVIDENCE)
        for row in (plain, rich, left):
            drive(store.create(row))

        assert [drive(store.read(key(name))) for name in "abc"] == [plain, rich, left]

    @needs(Capability.OWNERS)
    def test_claimed_record_comes_back_whole(self, store: Store, drive: Drive) -> None:
        """A record with an owner is read as it was written."""
        drive(store.replace(login(full())))

        assert drive(store.read(key("a"))) == full()
        assert records_of(store, drive, full().owner or "") == [full()]

    def test_committed_record_comes_back_whole(self, store: Store, drive: Drive) -> None:
        """A commit replaces every field: deadlines, digest, clocks, values put and values gone."""
        drive(store.create(record()))
        values = {"new": EVERY_BYTE}
        rich = {
            name: getattr(full(), name)
            for name in ("assurance", "client", "digest", "proof", "past")
        }
        update = change(record(), values, removed=["name"], seen=T0 + 1, confirmed=T0 + 2, **rich)
        drive(store.commit(update))

        assert drive(store.read(key("a"))) == update.record

    def test_mebibyte_comes_back(self, store: Store, drive: Drive) -> None:
        """A value of one mebibyte is kept, created and committed."""
        large = EVERY_BYTE * 4096
        row = record(data={"large": large})
        drive(store.create(row))
        assert drive(store.read(key("a"))) == row

        update = change(row, {"large": large[::-1]})
        assert drive(store.commit(update)) == COMMITTED
        assert drive(store.read(key("a"))) == update.record

    def test_written_record_is_copied(self, store: Store, drive: Drive) -> None:
        """Whoever changes a record after writing it changes nothing in the store."""
        row = record()
        drive(store.create(row))
        row.data["name"] = b"changed"
        assert drive(store.read(key("a"))) == record()

        update = change(record(), {"name": b"new"})
        drive(store.commit(update))
        update.record.data["name"] = b"changed"
        kept = drive(store.read(key("a")))
        assert isinstance(kept, Record)
        assert kept.data == {"name": b"new"}

    def test_read_record_is_a_copy(self, store: Store, drive: Drive) -> None:
        """Whoever changes a record after reading it changes nothing in the store."""
        drive(store.create(record()))
        row = drive(store.read(key("a")))
        assert isinstance(row, Record)
        row.data["name"] = b"changed"

        assert drive(store.read(key("a"))) == record()
