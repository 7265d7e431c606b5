"""What ``create`` promises. ``promises.owners`` has the creation of owned records."""

import pytest

from sessile.errors import KeyTaken
from sessile.stores.contract import Key, Store
from sessile.testing.drive import Drive
from sessile.testing.sample import change, key, record

RIVALS = 8


class Creating:
    """A key belongs to whoever came first."""

    def test_taken_key_is_refused(self, store: Store, drive: Drive) -> None:
        """A second creation is told which key is taken; the first record stays as it is."""
        drive(store.create(record(data={"who": b"first"})))
        with pytest.raises(KeyTaken) as refused:
            drive(store.create(record(data={"who": b"second"})))

        assert refused.value.key == key("a")
        assert drive(store.read(key("a"))) == record(data={"who": b"first"})

    def test_created_record_can_be_committed(self, store: Store, drive: Drive) -> None:
        """A refused creation leaves the version alone: the next commit of the first one stands."""
        drive(store.create(record()))
        with pytest.raises(KeyTaken):
            drive(store.create(record(version=7)))
        update = change(record(), {"n": b"1"})
        drive(store.commit(update))

        assert drive(store.read(key("a"))) == update.record

    def test_of_rival_creations_one_stands(self, store: Store, drive: Drive) -> None:
        """Of several creations of one key at once, one is stored and the others are refused."""
        rivals = [record(data={"who": bytes([n])}) for n in range(RIVALS)]
        answers = drive.together(store.create(rival) for rival in rivals)

        won = [rival for rival, answer in zip(rivals, answers, strict=True) if answer is None]
        assert [type(answer) for answer in answers].count(KeyTaken) == RIVALS - 1
        assert won == [drive(store.read(key("a")))]

    def test_keys_differ_by_case(self, store: Store, drive: Drive) -> None:
        """Two keys that differ in nothing but the case of their letters are two sessions."""
        keys = [Key("A-_" + "A" * 17), Key("a-_" + "a" * 17)]
        for each in keys:
            drive(store.create(record(key=each)))

        assert [drive(store.read(each)) for each in keys] == [record(key=k) for k in keys]
