"""Logins, commits and ends fall into each other at random, and some crash: nothing is half done.

Every schedule is drawn from a seed, which the failure names.
"""

import random

import pytest

from harness.dict_rows import DictServer, DictStore
from sessile.core.flow import run
from sessile.core.record import RecordKind
from sessile.errors import LostRace
from sessile.stores.contract import (
    COMMITTED,
    Committed,
    Conflict,
    Corrupt,
    Deleted,
    Gone,
    Key,
    Record,
    Replaced,
    pack,
)
from sessile.stores.intents import DecidedLogin, LockedRow, intent_of
from sessile.stores.settling import free, see_through
from sessile.testing.sample import change, key, login, record, records_of
from sessile.testing.step import Stepped

SEEDS = 400
OWNER = "alice"


def perform(flow):
    """Finish a flow, without its pauses: they are there for others, who have their turns."""
    stepped = Stepped(flow)
    while stepped.ask is not None:
        step(stepped)
    return stepped.outcome


def step(stepped):
    if stepped.ask.what == "pause":
        stepped._resume(stepped._flow.send, None)
    else:
        stepped.step()


class Crowd:
    """Some acts on one owner's sessions, all of them under way at once."""

    def __init__(self, seed, crashes):
        self.random = random.Random(seed)
        self.store = DictStore(DictServer())
        self.limit = self.random.choice([1, 2])
        self.old = [record(f"old {n}", owner=OWNER) for n in range(self.limit)]
        self.visitor = record("visitor")
        for row in self.old:
            run(self.store.replace(login(row)))
        run(self.store.create(self.visitor))
        self.acts = [self.draw(n) for n in range(self.random.randint(2, 4))]
        self.flows = [Stepped(flow) for _, _, flow in self.acts]
        self.crashed = set()
        self.crashes = crashes

    def draw(self, n):
        new = record(f"new {n}", owner=OWNER)
        old = self.random.choice(self.old)
        kind = self.random.choice(["login", "login", "visitor logs in", "step up", "commit", "end"])
        kind = self.random.choice([kind, kind, "delete", "end all"])
        flow = {
            "login": lambda: self.store.replace(login(new, limit=self.limit)),
            "visitor logs in": lambda: self.store.replace(
                login(new, limit=self.limit, old=self.visitor, tombstone=grave(self.visitor))
            ),
            "step up": lambda: self.store.replace(login(new, old=old, tombstone=grave(old))),
            "commit": lambda: self.store.commit(change(old, {"n": b"%d" % n})),
            "end": lambda: self.store.delete(Key(old.key), OWNER, leaving=grave(old)),
            "delete": lambda: self.store.delete(Key(self.visitor.key), None),
            "end all": lambda: self.store.delete_owned(OWNER),
        }[kind]()
        return kind, (new, old), flow

    def play(self):
        """Take turns until all are done; now and then one is never heard of again.

        What it asked last is not performed, or later, as by a server that was frozen.
        """
        going = [n for n, flow in enumerate(self.flows) if flow.ask is not None]
        late = []
        while going or late:
            if late and (not going or self.random.random() < 0.1):
                late.pop().block()
                continue
            n = self.random.choice(going)
            if self.crashes and self.random.random() < 0.03:
                self.crashed.add(n)
                going.remove(n)
                if self.random.random() < 0.5 and self.flows[n].ask.what != "pause":
                    late.append(self.flows[n].ask)
                continue
            step(self.flows[n])
            if self.flows[n].ask is None:
                going.remove(n)

    def sees(self, row):
        found = run(self.store.read(Key(row.key)))
        return isinstance(found, Record) and found.kind is RecordKind.SESSION

    def check(self):
        results = {}
        for n, (kind, rows, _) in enumerate(self.acts):
            if n not in self.crashed:
                outcome = self.flows[n].outcome
                assert outcome.error is None or isinstance(outcome.error, LostRace), outcome.error
                results[n] = (kind, rows, outcome.value)
        self.check_replaced(results)
        self.check_ended(results)
        self.check_index()

    def check_replaced(self, results):
        """One act at most takes the place of a session, and then nobody changes or opens it."""
        for row in (*self.old, self.visitor):
            took = [
                value
                for kind, (_, old), value in results.values()
                if isinstance(value, Replaced)
                and row == (self.visitor if kind == "visitor logs in" else old)
                and kind in {"visitor logs in", "step up"}
            ]
            committed = [
                value
                for kind, (_, old), value in results.values()
                if kind == "commit" and old == row and isinstance(value, Committed)
            ]
            assert len(took) + len(committed) <= 1
            assert not (took and self.sees(row))

    def check_ended(self, results):
        """A login that was acknowledged is there, or somebody was told of its end."""
        ended = [row for _, _, v in results.values() if isinstance(v, Replaced) for row in v.ended]
        ended += [row for _, _, v in results.values() if isinstance(v, Deleted) for row in v.keys]
        assert len(ended) == len(set(ended))
        for row in ended:
            found = run(self.store.read(row))
            assert found is None or found.kind is RecordKind.TOMBSTONE
        for kind, (new, _), value in results.values():
            if isinstance(value, Replaced) and not self.crashed:
                assert self.sees(new) is (new.key not in ended), kind
            if isinstance(value, Conflict | Gone):
                assert not self.sees(new)

    def check_index(self):
        """Who lives is listed, within the limit; whatever crashed is settled by whoever comes."""
        for name in list(self.store.server.rows):
            assert perform(free(self.store._rows, Key(name), 0.0)).error is None
        assert all(intent_of(row.value) is None for row in self.store.server.rows.values())
        listed = records_of(self.store, run, OWNER)
        living = [new for _, (new, _), _ in self.acts if self.sees(new)]
        living += [old for old in self.old if self.sees(old)]
        assert {row.key for row in listed} == {row.key for row in living}
        last = record("last", owner=OWNER)
        assert isinstance(run(self.store.replace(login(last, limit=self.limit))), Replaced)
        assert len(records_of(self.store, run, OWNER)) <= self.limit
        assert len(listed) <= self.limit


def grave(row):
    return record(key=row.key, version=0, idle=120.0, kind=RecordKind.TOMBSTONE)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("part", range(8))
def test_nothing_is_half_done(part, crashes):
    """Whatever falls into what, the limit holds and nothing acknowledged is lost or revived."""
    for seed in range(part * SEEDS, (part + 1) * SEEDS):
        crowd = Crowd(seed, crashes)
        try:
            crowd.play()
            crowd.check()
        except AssertionError as error:
            acts = [kind for kind, _, _ in crowd.acts]
            raise AssertionError(f"seed {seed}: {acts}, crashed {crowd.crashed}") from error


def test_lock_of_another_attempt_is_void():
    """What an attempt that was called off left behind ends nothing, though the next one stands."""
    store, old, new = DictStore(DictServer()), record("old"), record("new")
    lock = LockedRow(b"first...", pack(old), Key(new.key), b"")
    run(store._rows.add(Key(old.key), bytes(lock), 1, what="lock"))
    decided = DecidedLogin(b"second..", pack(new), (Key(old.key),))
    run(store._rows.add(Key(new.key), bytes(decided), 1, what="replace"))

    assert run(store.read(Key(old.key))) == old
    run(free(store._rows, Key(new.key), 0.0))
    assert run(store.read(Key(old.key))) == old
    assert run(store.commit(change(old))) == COMMITTED
    assert run(store.read(Key(new.key))) == new


def half_login(until):
    """Return a store, a session, and a login in its place that stands before an act."""
    store, old = DictStore(DictServer()), record("old")
    run(store.create(old))
    act = Stepped(store.replace(login(record("new", owner=OWNER), old=old)))
    while act.ask.what != until:
        act.step()
    return store, old, act


def read_row(store, key, tell):
    """Return how a row is read that was found."""
    return see_through(store._rows, key, store._rows.server.rows[key].value, tell)


def test_reader_is_told_of_a_lock_and_looks_again():
    """So a login that is decided later, though the look's answer is late, is decided once told."""
    store, old, _ = half_login("dict replace")
    told = []
    reader = Stepped(read_row(store, Key(old.key), told.append))
    looks = []
    while reader.ask is not None:
        looks.append(list(told))
        reader.step()

    assert looks == [[], [old.key]]
    assert reader.outcome.get() == pack(old)


def test_reader_is_told_of_no_lock_that_is_decided_or_void():
    """Nothing can change any more but the row itself."""
    store, old, act = half_login("dict replace")
    act.step()
    assert run(read_row(store, Key(old.key), pytest.fail)) is None
    store, old, _ = half_login("dict replace")
    del store._rows.server.rows[key("new")]
    assert run(read_row(store, Key(old.key), pytest.fail)) == pack(old)


@pytest.mark.parametrize("cut", range(1, 40))
def test_row_that_was_cut_off_is_no_intent(cut):
    """Bytes that begin as an intent and are none read as a row that is no record."""
    store = DictStore(DictServer())
    lock = bytes(LockedRow(b"attempt.", pack(record("a")), key("b"), b""))
    run(store._rows.add(key("a"), lock[:-cut], 1, what="lock"))

    assert run(store.read(key("a"))) == Corrupt(key("a"))
    assert run(store.delete(key("a"))) == Corrupt(key("a"))
