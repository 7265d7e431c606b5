"""A thief who can write the store, or has read it: nothing runs, nobody changes, nothing opens."""

import base64
import json
import marshal
import os
import pickle
import tempfile
from importlib import import_module
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from harness.handlers import puts, reads, who
from red_team.attack import events_of, weakened_by
from red_team.rows import rows_of
from sessile.codecs import msgpack, sealing
from sessile.core.client import Client
from sessile.core.policy import Policy, hours
from sessile.core.record import Corrupt, Record, evolve, pack
from sessile.core.ticket import Ticket
from sessile.service.events import Malformed
from sessile.service.sessions import Sealing
from sessile.stores import sqlite, sqlite_acts

CANARY = "the axolotl sings at four"


def key_of(cookie):
    return cookie.partition("=")[2][:20]


def verifier_of(cookie):
    return Ticket.parse(cookie.partition("=")[2]).verifier


def enters(site, user, **kept):
    """Log a user in; return the cookie."""

    def act(session):
        session.update(kept)
        session.login(user)

    return site.ask(act).cookie


class Bomb:
    """Pickled, it makes a folder when it is loaded."""

    def __init__(self, place):
        self.place = place

    def __reduce__(self):
        return (os.mkdir, (self.place,))


def explosives(place):
    """Bytes that make a folder where somebody loads them as what they are."""
    code = compile(f"import os; os.mkdir({place!r})", "planted", "exec")
    yield pickle.dumps(Bomb(place))
    yield pickle.dumps(Bomb(place), 0)
    yield marshal.dumps(code)
    yield f"!!python/object/apply:os.mkdir [{place!r}]".encode()
    yield json.dumps({"py/object/apply": ["os.mkdir", [place]]}).encode()
    yield json.dumps({"__class__": "os.mkdir", "args": [place]}).encode()


def guessing(load):
    """Return an ``unpack`` that tries another format where a row is none of ours."""

    def unpack(blob, key):
        try:
            load(blob)
        except Exception:  # noqa: BLE001  (a guess that was wrong)
            return whole(blob, key)
        return Corrupt(key)

    whole = sqlite.unpack
    return unpack


def pickles_are_loaded(patch):
    """A row from an older release is a pickle, says this build."""
    patch.setattr(sqlite_acts, "unpack", guessing(pickle.loads))


def code_is_loaded(patch):
    """A row may hold marshalled code."""
    patch.setattr(sqlite_acts, "unpack", guessing(lambda blob: exec(marshal.loads(blob))))


def classes_are_made(patch):
    """A JSON object may name the class that it becomes."""

    def make(said):
        module, _, name = said["__class__"].partition(".")
        return getattr(import_module(module), name)(*said["args"])

    patch.setattr(sqlite_acts, "unpack", guessing(lambda blob: json.loads(blob, object_hook=make)))


@weakened_by(pickles_are_loaded, code_is_loaded, classes_are_made)
def test_a22_planted_rows_are_never_executed(site):
    """A row that is a program in some format is no session, and an event tells of it."""
    cookie = site.ask(puts(v=1)).cookie
    with tempfile.TemporaryDirectory() as place:
        for row in explosives(f"{place}/bomb"):
            rows_of(site)[key_of(cookie)] = row
            site.events.clear()
            reply = site.ask(reads, cookie)

            assert list(Path(place).iterdir()) == [], row
            assert (reply.status, reply.json, reply.set_cookie) == (200, {}, None), row
            assert [event.session for event in events_of(site, Malformed)] == [key_of(cookie)], row


def extensions_are_loaded(patch):
    """The codec knows one more extension, for whatever has none of its own."""
    patch.setitem(msgpack._READERS, 99, lambda data: pickle.loads(bytes(data)))


@weakened_by(extensions_are_loaded, sealing=Sealing.OFF)
def test_a22_planted_values_are_never_executed(site):
    """A value that is a program in some format is absent; the rest of its session is there."""
    cookie = site.ask(puts(v=1, w=2)).cookie
    rows, key = rows_of(site), key_of(cookie)
    with tempfile.TemporaryDirectory() as place:
        for bomb in explosives(f"{place}/bomb"):
            for blob in (bomb, msgspec.msgpack.encode(msgspec.msgpack.Ext(99, bomb))):
                record = rows.record(key)
                planted = evolve(record, data={**record.data, "v": blob})
                rows[key] = pack(rows.proved(planted))
                reply = site.ask(reads, cookie)

                assert list(Path(place).iterdir()) == [], blob
                assert reply.status == 200
                assert reply.json["w"] == 2


def records_go_by_their_place(patch):
    """What is found under a key is that key's record."""
    for module in (sqlite, sqlite_acts):
        patch.setattr(
            module, "load_row", lambda key, blob, *_: msgspec.msgpack.decode(blob, type=Record)
        )


@weakened_by(records_go_by_their_place)
def test_a23_record_under_another_key_is_none(site):
    """A record of alice, put where mallory's was, opens for nobody and is told."""
    alice, mallory = enters(site, "alice"), enters(site, "mallory")
    rows = rows_of(site)
    rows[key_of(mallory)] = rows[key_of(alice)]

    assert site.ask(who, mallory).json is None
    assert site.ask(who, alice).json == "alice"
    assert [event.session for event in events_of(site, Malformed)] == [key_of(mallory)]


def fields_are_not_proved(patch, **fields):
    """The proof says nothing of these."""
    proof_of = sealing._Keys.proof_of
    patch.setattr(
        sealing._Keys, "proof_of", lambda keys, record: proof_of(keys, evolve(record, **fields))
    )


def proofs_are_not_checked(patch):
    """Every record proves itself."""
    patch.setattr(sealing._Prover, "holds", lambda sealer, record: True)


@weakened_by(proofs_are_not_checked)
def test_a23_changed_record_is_forged(site):
    """Sealed: whoever can write the store cannot make a session somebody else's, or better."""
    alice, mallory = enters(site, "alice"), enters(site, "mallory")
    rows = rows_of(site)
    mine, theirs = rows.record(key_of(mallory)), rows.record(key_of(alice))
    stolen = f"{alice.partition('=')[0]}={key_of(alice)}{mallory.partition('=')[2][20:]}"
    for cookie, forged in [
        (mallory, evolve(mine, owner="alice")),
        (mallory, evolve(mine, assurance=3)),
        (mallory, evolve(mine, authenticated_at=mine.created + 1)),
        (mallory, evolve(mine, factors=("password", "totp"))),
        (mallory, evolve(mine, grants={"pay": mine.until})),
        (mallory, evolve(mine, client=Client(address="192.0.2.1"))),
        (mallory, evolve(mine, past=b"")),
        (mallory, evolve(mine, until=mine.until + hours(1000))),
        (mallory, evolve(theirs, key=mine.key, digest=mine.digest)),
        (stolen, evolve(theirs, digest=mine.digest)),
    ]:
        rows[forged.key] = pack(forged)
        site.events.clear()
        reply = site.ask(who, cookie)

        assert (reply.status, reply.json, reply.set_cookie) == (200, None, None), forged.owner
        assert [event.session for event in events_of(site, Malformed)] == [forged.key]


def values_are_bound_to_nothing(patch):
    """All values are sealed under one key and to no place, and are not proved."""
    fields_are_not_proved(patch, data={})
    patch.setattr(sealing, "_aad_prefix", lambda key: b"")
    patch.setattr(sealing._Keys, "_cipher", lambda keys, key: AESGCM(keys._value_key))


@weakened_by(values_are_bound_to_nothing)
def test_a23_values_of_another_session_are_forged(site):
    """Sealed: a value that was copied from one session into another opens in neither."""
    alice, mallory = enters(site, "alice", role="admin"), enters(site, "mallory", role="guest")
    rows = rows_of(site)
    mine, theirs = rows.record(key_of(mallory)), rows.record(key_of(alice))
    rows[mine.key] = pack(evolve(mine, data=theirs.data))

    assert site.ask(reads, mallory).json == {}
    assert site.ask(reads, alice).json == {"role": "admin"}
    assert [event.session for event in events_of(site, Malformed)] == [key_of(mallory)]


def deadlines_are_not_proved(patch):
    """The proof says nothing of when a session ends, and nobody counts from when it was used."""
    patch.setattr(Policy, "lives", lambda policy, record, now, *_: record.live_at(now))
    fields_are_not_proved(patch, until=0.0, idle_until=0.0)


@weakened_by(deadlines_are_not_proved)
def test_a23_rolled_back_record_lives_no_longer_than_it_would_have(site):
    """A sound old record, put back, is not detected: it is what it was, its end included.

    What the session has done since is undone, and one that was logged out is back for whoever kept
    its ticket. What no writer of the store can do is to let it live beyond the time it had.
    """
    cookie = enters(site, "alice", v=1)
    rows, key = rows_of(site), key_of(cookie)
    old = rows.record(key)
    site.ask(puts(v=2), cookie)
    rows[key] = pack(old)
    assert site.values(cookie) == {"v": 1}
    site.sessions.sync.end(key)
    assert site.values(cookie) == {}
    rows[key] = pack(old)
    assert site.values(cookie) == {"v": 1}

    site.clock.advance(old.idle_until - old.created - 1)
    rows[key] = pack(old)
    assert site.values(cookie) == {"v": 1}
    site.clock.advance(2)
    kept_busy = evolve(old, idle_until=old.until)
    for forged in (old, kept_busy, evolve(kept_busy, until=kept_busy.until + hours(1))):
        rows[key] = pack(forged)
        assert site.values(cookie) == {}


def verifiers_are_kept(patch):
    """The record keeps what it compares with, as it is."""
    patch.setattr(Ticket, "digest", property(lambda ticket: ticket.verifier + b"\0\0"))
    patch.setattr(Ticket, "proves", lambda ticket, digest: ticket.digest == digest)


def digests_open(patch):
    """What stands in the store is taken for the secret as well."""
    proves = Ticket.proves

    def weak(ticket, digest):
        return proves(ticket, digest) or ticket.verifier == digest[:30]

    patch.setattr(Ticket, "proves", weak)


@weakened_by(verifiers_are_kept, digests_open)
def test_a24_dump_opens_no_session(site):
    """Every byte of the store holds no ticket and no verifier, and its digests open nothing."""
    cookies = [enters(site, "alice"), site.ask(puts(v=1)).cookie]
    cookies.append(site.ask(lambda session: session.rotate(), cookies[0]).cookie)
    dump = rows_of(site).dump()
    for cookie in cookies:
        assert key_of(cookie).encode() in dump
        assert verifier_of(cookie) not in dump
        assert cookie.partition("=")[2][20:].encode() not in dump
        assert verifier_of(cookie).hex().encode() not in dump.lower()
        digest = rows_of(site).record(key_of(cookie)).digest
        for guess in (digest[:30], digest[2:], bytes(30)):
            said = f"sid={key_of(cookie)}{base64.urlsafe_b64encode(guess).decode()}"
            assert site.ask(reads, said).json == {}
            assert site.ask(who, said).json is None


class Plain:
    """A cipher that hides nothing."""

    def encrypt(self, nonce, plain, aad):
        return plain

    def decrypt(self, nonce, sealed, aad):
        return sealed


def values_stay_plain(patch):
    """Nothing is encrypted."""
    patch.setattr(sealing._Keys, "_cipher", lambda keys, key: Plain())


@weakened_by(values_stay_plain)
def test_a24_dump_shows_no_value(site):
    """Sealed: no value can be read, while names of users and of keys can."""
    cookie = enters(site, "alice", pet=CANARY, list=[CANARY], card="4111 1111 1111 1111")
    dump = rows_of(site).dump()

    assert site.values(cookie)["pet"] == CANARY
    assert CANARY.encode() not in dump
    assert b"4111" not in dump
    assert b"alice" in dump
