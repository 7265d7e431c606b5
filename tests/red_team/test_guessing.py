"""Guessing: ids that follow from others, ids by the thousand, and answers that tell them apart."""

import base64
import hashlib
import hmac
import os
import random
import subprocess
import sys
import time
from collections import Counter
from itertools import count, pairwise

import pytest

from harness.handlers import logs_in, logs_out, reads, who
from mutations.defences import refusals_are_not_told, strangers_end_sessions
from red_team.attack import commands, events_of, weakened_by
from sessile.core import verdict
from sessile.core.ticket import ENTROPY, Key, Ticket
from sessile.errors import TooManySessions
from sessile.service.context import Context
from sessile.service.events import Expired, RefusalReason, Refused
from sessile.service.sessions import context_of
from sessile.stores.sqlite import SQLiteStore

WORKERS, EACH = 4, 2_500
SIGMA = (WORKERS * EACH) ** 0.5 / 2
GUESSES = 50


def drawn(patch, entropy):
    """Let tickets be made of something else."""
    mint = Ticket.mint
    patch.setattr(Ticket, "mint", lambda _: mint(entropy()))


def tickets_come_of_random(patch):
    """Tickets are drawn by the module ``random``, which anybody in the process may seed."""
    drawn(patch, lambda: random.randbytes(ENTROPY))


def generators_are_shared_over_forks(patch):
    """Tickets are drawn from a generator of our own, well seeded once, which a fork copies."""
    generator = random.Random(os.urandom(32))
    drawn(patch, lambda: generator.randbytes(ENTROPY))


def tickets_tell_the_time(patch):
    """A ticket begins with the time and a number, as ids in many tables do."""
    number = count()
    drawn(
        patch,
        lambda: (
            time.time_ns().to_bytes(9) + next(number).to_bytes(4) + os.urandom(ENTROPY - 13)
        ),
    )  # fmt: skip


def verifiers_are_digests_of_ids(patch):
    """The secret half follows from the other, which is no secret."""

    def entropy():
        selector = b"i" + os.urandom(14)  # a ticket's id begins with no dash
        return selector + hashlib.sha256(base64.urlsafe_b64encode(selector)).digest()[:30]

    drawn(patch, entropy)


def forked_tickets():
    """Return the tickets that the workers of a forking server draw."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "red_team.forks", str(WORKERS), str(EACH)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return [base64.urlsafe_b64decode(line) for line in done.stdout.split()]


def uneven_bits(samples):
    """Return the bits that are set in far more, or far fewer, than half of the samples."""
    uneven = []
    for place in range(ENTROPY):
        octets = Counter(sample[place] for sample in samples)
        for bit in range(8):
            ones = sum(number for octet, number in octets.items() if octet >> bit & 1)
            uneven += [(place, bit)] if abs(ones - len(samples) / 2) > 10 * SIGMA else []
    return uneven


def apart(a, b):
    """Return the bits in which two samples differ."""
    return (int.from_bytes(a) ^ int.from_bytes(b)).to_bytes(ENTROPY)


@weakened_by(generators_are_shared_over_forks, tickets_tell_the_time)
def test_a5_tickets_of_forked_workers_have_nothing_in_common(site):
    """Of ten thousand from four workers none is twice, and no bit leans or follows the last."""
    samples = forked_tickets()
    samples += [base64.urlsafe_b64decode(site.ask(logs_in).cookie[4:]) for _ in range(20)]

    assert len(samples) == WORKERS * EACH + 20
    assert len({sample[:15] for sample in samples}) == len(samples)
    assert len({sample[15:] for sample in samples}) == len(samples)
    assert uneven_bits(samples) == []
    assert uneven_bits([apart(a, b) for a, b in pairwise(samples)]) == []


@weakened_by(tickets_come_of_random)
def test_a5_seed_decides_nothing(site):
    """Whoever sets the seed of ``random`` learns nothing of the tickets drawn after it."""
    mint = context_of(site.sessions).mint
    random.seed(1)
    predicted = {mint().key for _ in range(10)}
    random.seed(1)
    issued = [site.ask(logs_in).cookie[4:24] for _ in range(10)]

    assert predicted.isdisjoint(issued)


@weakened_by(verifiers_are_digests_of_ids)
def test_a5_secret_does_not_follow_from_the_id(site):
    """The secret half is no digest of the id, under no common digest, as bytes or as text."""
    cookie = site.ask(logs_in).cookie[4:]
    verifier = base64.urlsafe_b64decode(cookie[20:])
    known = (cookie[:20].encode(), base64.urlsafe_b64decode(cookie[:20]))

    for digest in ("md5", "sha1", "sha256", "sha512", "blake2b"):
        for text in known:
            assert hashlib.new(digest, text).digest()[:16] not in verifier


def misses_are_searched_for(patch):
    """An id that is not found is looked for in the whole store."""
    read = SQLiteStore.read

    async def searched(store, key):
        record = await read(store, key)
        if record is None:
            await store.scan()
        return record

    patch.setattr(SQLiteStore, "read", searched)


def shapes_are_not_checked(patch):
    """Whatever stands in the cookie is looked up."""
    patch.setattr(Ticket, "parse", lambda text: Ticket(Key(text[:20]), text[20:].encode()))


def chains_have_no_end(patch):
    """A stranger's ticket is walked forward very far."""
    patch.setattr(verdict, "_STEPS", 500)


def malformed(ticket):
    """Return values that are no tickets."""
    return ["", "x", ticket[:-1], ticket + "A", ticket * 100, ticket[:-1] + "=", "../" * 20]


@weakened_by(misses_are_searched_for, refusals_are_not_told)
def test_a6_guessed_id_costs_one_read_and_is_told(site):
    """Each guess is one look into the store, leaves nothing there, and is an event."""
    guesses = [Ticket.mint(os.urandom(ENTROPY)).reveal() for _ in range(GUESSES)]
    with commands(site) as asked:
        replies = [site.ask(reads, f"sid={guess}") for guess in guesses]

    assert {(reply.status, reply.set_cookie, reply.body) for reply in replies} == {
        (200, None, b"{}")
    }
    assert asked == ["read"] * GUESSES
    assert [event.reason for event in events_of(site, Refused)] == [RefusalReason.UNKNOWN] * GUESSES


@weakened_by(shapes_are_not_checked, refusals_are_not_told)
def test_a6_malformed_ticket_costs_the_store_nothing(site):
    """What has not the shape of a ticket is refused before the store is asked, and is an event."""
    ticket = site.ask(logs_in).cookie[4:]
    values = malformed(ticket)
    with commands(site) as asked:
        users = [site.ask(who, f"sid={value}").json for value in values]

    assert users == [None] * len(values)
    assert asked == []
    assert [event.reason for event in events_of(site, Refused)] == [RefusalReason.SHAPE] * len(
        values
    )


@weakened_by(strangers_end_sessions, chains_have_no_end, refusals_are_not_told)
def test_a6_guessed_secret_harms_nobody_and_costs_little(site):
    """Who knows an id and guesses at its secret makes us read once and walk a day of turns."""
    cookie = site.ask(logs_in).cookie
    successor, steps = Ticket.successor, []

    def counted(ticket, secret):
        steps.append(ticket.key)
        return successor(ticket, secret)

    with pytest.MonkeyPatch.context() as patch, commands(site) as asked:
        patch.setattr(Ticket, "successor", counted)
        for _ in range(GUESSES):
            guess = cookie[:24] + Ticket.mint(os.urandom(ENTROPY)).reveal()[20:]
            assert site.ask(who, guess).json is None

    assert asked == ["read"] * GUESSES
    assert len(steps) <= 96 * GUESSES  # a day of turns, each an HMAC and a SHA-256
    assert [event.reason for event in events_of(site, Refused)] == [
        RefusalReason.STRANGER
    ] * GUESSES
    assert site.ask(who, cookie).json == "alice"


def answered(patch, is_told):
    """Answer with 403 where such an event is told."""
    emit = Context.emit

    def refused(context, event):
        emit(context, event)
        if is_told(event):
            raise TooManySessions(1)

    patch.setattr(Context, "emit", refused)


def strangers_are_told_so(patch):
    """A wrong secret for a session that lives is answered as such."""
    answered(patch, lambda event: getattr(event, "reason", None) is RefusalReason.STRANGER)


def expired_are_told_so(patch):
    """A session whose time is over is answered as such."""
    answered(patch, lambda event: isinstance(event, Expired))


def dead_tickets(site):
    """Return the cookies of sessions that expired, were ended, logged out, never were; a guess."""
    expired = site.ask(logs_in).cookie
    site.clock.advance(1_801)
    site.ask(reads, expired)  # whoever holds all of it has it noted, once, that it is over
    live, ended, left, grown = (site.ask(logs_in).cookie for _ in range(4))
    site.sessions.sync.end(ended[4:24])
    site.ask(logs_out, left)
    site.ask(logs_in, grown)
    unknown = f"sid={Ticket.mint(os.urandom(ENTROPY)).reveal()}"
    return [unknown, expired, ended, left, grown, live[:24] + unknown[24:]]


@weakened_by(strangers_are_told_so, expired_are_told_so, strangers_end_sessions)
def test_a37_dead_tickets_look_alike(site):
    """Unknown, expired, ended, logged out and guessed get one answer, for the same commands."""
    answers, cost = [], []
    for cookie in dead_tickets(site):
        with commands(site) as asked:
            reply = site.ask(reads, cookie)
        headers = {k: v for k, v in reply.headers.items() if k != "date"}
        answers.append((reply.status, headers, reply.body))
        cost.append(asked)

    assert answers == [answers[0]] * len(answers)
    assert answers[0][0] == 200
    assert cost == [["read"]] * len(cost)


def secrets_are_compared_with_equals(patch):
    """The time of a comparison tells how much of the secret was right."""
    patch.setattr(Ticket, "proves", lambda ticket, digest: ticket.digest == digest)


@weakened_by(secrets_are_compared_with_equals)
def test_a37_secret_is_compared_in_constant_time(site):
    """What is presented is compared, as a digest, by ``hmac.compare_digest`` alone."""
    cookie = site.ask(logs_in).cookie
    guess = cookie[:24] + Ticket.mint(os.urandom(ENTROPY)).reveal()[20:]
    kept, presented = (
        hashlib.sha256(Ticket.parse(c[4:]).verifier).digest() for c in (cookie, guess)
    )
    compared, compare = [], hmac.compare_digest

    def noted(a, b):
        compared.append({bytes(a), bytes(b)})
        return compare(a, b)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hmac, "compare_digest", noted)
        assert site.ask(who, guess).json is None

    assert {kept, presented} in compared
