"""Every act on a session meets every other, at every act of I/O: what holds wherever they meet.

The promises tell what a meeting comes to; here is what none may come to, whichever acts they are.
"""

from collections import Counter
from contextlib import suppress
from itertools import permutations

import pytest

from sessile.core.flow import run
from sessile.core.policy import Policy, hours
from sessile.core.record import Record, RecordKind
from sessile.core.request import PlainRequest
from sessile.core.session import Session
from sessile.errors import LoginNeeded, StepUpNeeded
from sessile.service import end as ending
from sessile.service import events, regenerate, tombstones
from sessile.service.manage import end, end_all
from sessile.service.open import open_transaction
from sessile.service.require import use_grant
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.promises.stories import logs_in, logs_out, reads, rotates, steps_up, unlocks
from sessile.testing.step import Stepped, interleavings
from sessile.testing.world import ABROAD, World

LIMIT = 2
ROTATED, FRESH, LOCKED = "rotated", "fresh", "locked"


def key_of(cookie):
    """Return the id of the session that a ticket is for."""
    return cookie.partition("=")[2][:20]


class Stage:
    """Alice has a session here and another one elsewhere; a thief has a used ticket of this one.

    Args:
        state: of the session here. A fresh one was never committed to, and has no used ticket.

    Attributes:
        key: of the session here.
        others: of the session elsewhere.
    """

    def __init__(self, state=ROTATED):
        self.store = MemoryStore()
        policy = Policy(idle=hours(1), lock=hours(9), rotate=hours(9), limit=LIMIT)
        world = self.world = World(self.store, run, policy=policy)
        self.elsewhere = world.ask(logs_in(), cookie="").cookie
        world.ask(lambda s: (s.update(cart=["hat"]), s.login("alice")))
        self.used = ""
        if state is not FRESH:
            world.ask(lambda s: s.step_up("pay", factors=("totp",), lasts=hours(9)))
            self.used = world.cookie
            world.ask(rotates)
            world.ask(reads)
        world.clock.advance(hours(2) if state is LOCKED else 91.0)
        if state is LOCKED:
            world.ask(unlocks, cookie=self.elsewhere)
            self.elsewhere = world.issued[-1]
        self.key, self.others = key_of(world.cookie), key_of(self.elsewhere)
        world.events.clear()
        world.issued[:] = [world.cookie, self.elsewhere]

    def rows(self):
        """Return what lives of the users' sessions, by key."""
        found = {key: run(self.store.read(key)) for key in list(self.store._rows)}
        return {
            key: row
            for key, row in found.items()
            if isinstance(row, Record) and row.kind is RecordKind.SESSION and row.owner
            if row.live_at(self.world.clock())
        }

    def told(self, kind):
        """Return the events of a kind."""
        return self.world.events_of(kind)


# Acts


def request(act, *, suffer=()):
    """Make a request with the ticket of the session here."""

    def handle(session):
        with suppress(*suffer):
            act(session)
        return session.new

    return lambda stage: stage.world.request(stage.world.cookie, handle)


def writes(session):
    """Change all that a request can change."""
    session.update(v=1)
    session["cart"] = [*session.get("cart", []), "sock"]
    session.note("wrote")


async def spends(stage):
    """Use a grant up, in a request that saves nothing."""
    world = stage.world
    said = PlainRequest({"cookie": world.cookie, "user-agent": world.agent}, peer=world.peer)
    transaction = await open_transaction(context_of(world.sessions), said)
    with suppress(StepUpNeeded):
        await use_grant(context_of(world.sessions), Session(transaction.state), "pay")


ACTS = {
    "read": request(reads),
    "write": request(writes),
    "login": request(logs_in()),
    "login as another": request(logs_in("bob")),
    "first factor": request(lambda session: session.begin_login("alice")),
    "login elsewhere": lambda stage: stage.world.request("", logs_in()),
    "step up": request(steps_up("delete"), suffer=[LoginNeeded]),
    "unlock": request(unlocks, suffer=[LoginNeeded]),
    "rotate": request(rotates),
    "logout": request(logs_out),
    "end": lambda stage: end(context_of(stage.world.sessions), stage.key),
    "end all": lambda stage: end_all(context_of(stage.world.sessions), "alice", None),
    "replay": lambda stage: stage.world.request(stage.used, reads, peer=ABROAD),
    "late": lambda stage: stage.world.request(stage.used, reads),
    "spend": spends,
}
STARTING = {"login", "login as another", "first factor"}
ENDING = {"logout", "end", "end all"}


# What holds


def check(stage, outcomes):
    """Check what holds after acts, by their outcomes, wherever they met."""
    for name, outcome in outcomes:
        assert outcome.error is None, name
    rows = stage.rows()
    check_owners(stage, rows)
    check_ends(stage, rows, outcomes)
    check_changes(stage, rows, {name for name, _ in outcomes})


def check_owners(stage, rows):
    """At most the limit, all of them in the index, and each in somebody's hands."""
    assert all(n <= LIMIT for n in Counter(row.owner for row in rows.values()).values())
    assert {key for keys in stage.store._owners.values() for key in keys} == rows.keys()
    world = stage.world
    held = {world.ask(lambda s: s.id, cookie=cookie).result for cookie in world.issued}
    assert rows.keys() <= held, "nobody has a ticket of it"


def check_ends(stage, rows, outcomes):
    """Ended stays ended, is told once, and what rests on it has ended too."""
    ended = Counter(event.session for event in stage.told(events.Ended))
    assert set(ended.values()) <= {1}
    assert not ended.keys() & rows.keys()
    ends, begun = bool(stage.told(events.Replayed)), {stage.others}
    for name, outcome in outcomes:
        if name in STARTING or name == "login elsewhere":
            begun.add(key_of(outcome.value.cookie))
        ends = ends or name in ENDING or (name in STARTING and not outcome.value.result)
    assert not (ends and rows.keys() - begun), "it goes on"
    for event in stage.told(events.Replayed):
        assert stage.world.sessions.sync.evidence(event.session) is not None


def check_changes(stage, rows, names):
    """What a request was told to be saved is there; what was used up is not."""
    world = stage.world
    for cookie in world.issued:
        key, values, has_grant = world.ask(
            lambda s: (s.id, dict(s), s.has_grant("pay")), cookie=cookie
        ).result
        row = rows.get(key)
        if row is None or "cart" not in values:
            continue
        assert not (has_grant and stage.told(events.GrantUsed))
        if "write" in names and not stage.told(events.Dropped) and goes_on(row, names):
            assert values == {"cart": ["hat", "sock"], "v": 1}
            assert "wrote" in [line.what for line in row.trail]


def goes_on(row, names):
    """Tell whether a session has all of the one here: a login over an ended one begins anew."""
    ended = names & {*ENDING, "replay"} or len(names & STARTING) > 1
    return row.trail[-1].what != "login" or not ended


def pairs(state):
    """Return the pairs of acts that there can be on a session in that state."""
    idle = {"replay", "late", "spend"} if state is FRESH else set()
    names = [name for name in ACTS if name not in idle]
    return [(a, b) for a in names for b in names if "write" not in (a, b) or a != b]


@pytest.mark.parametrize("first", ACTS)
@pytest.mark.parametrize("state", [ROTATED, FRESH, LOCKED])
def test_two_acts_leave_nothing_that_may_not_be(state, first):
    """Wherever any other act falls into this one, all that holds of sessions holds."""
    for a, b in pairs(state):
        if a == first:
            for met in interleavings(lambda: Stage(state), ACTS[a], ACTS[b]):
                try:
                    check(met.world, [(a, met.a), (b, met.b)])
                except AssertionError as error:
                    raise AssertionError(f"{a}, and {b} {met.stop}: {error}") from error


# Three acts


def meet(stage, first, second, third):
    """Let three acts begin; then the second runs between any two steps of the first, and so on."""
    flows = [(name, Stepped(ACTS[name](stage))) for name in (first, second, third)]
    for _, flow in flows:
        flow.step()  # each has read the session as it was
    for _, flow in flows:
        flow.finish()
    return [(name, flow.outcome) for name, flow in flows]


OVERLAPPING = ("write", "login", "login as another", "step up", "rotate", "logout")


@pytest.mark.parametrize("state", [ROTATED, FRESH])
def test_three_acts_that_read_the_same_leave_nothing_that_may_not_be(state):
    """Of three that found one session each is carried out whole, in any order."""
    for order in permutations(OVERLAPPING, 3):
        stage = Stage(state)
        outcomes = meet(stage, *order)
        check(stage, outcomes)


def test_writer_brings_back_no_session_that_was_ended_twice():
    """Two logouts and a request that writes: what the second one put back is no session.

    A session that was used once is at its second version; what an end puts back in its place is at
    none that a request could expect.
    """
    for second in ("logout", "login", "step up"):
        stage = Stage(FRESH)
        outcomes = meet(stage, second, "logout", "write")
        check(stage, outcomes)
        assert stage.world.ask(reads).user is None
        assert stage.told(events.Dropped)


def schedules(acts):
    """Yield a stage and the outcomes of each way in which acts can take turns, step by step."""
    waiting = [[]]
    while waiting:
        turns, stage = waiting.pop(), Stage()
        flows = [Stepped(ACTS[act](stage)) for act in acts]
        taken = []
        while ready := [n for n, flow in enumerate(flows) if flow.ask is not None]:
            turn = turns[len(taken)] if len(taken) < len(turns) else ready[0]
            if len(taken) >= len(turns):
                waiting += [[*taken, other] for other in ready[1:]]
            taken.append(turn)
            flows[turn].step()
        yield stage, [(act, flow.outcome) for act, flow in zip(acts, flows, strict=True)]


ENDS = [
    ("replay", "logout", "logout"),
    ("replay", "logout", "end"),
    ("replay", "replay", "logout"),
    ("replay", "logout", "login"),
]


@pytest.mark.parametrize("acts", ENDS, ids=" ".join)
def test_no_ends_at_once_wipe_out_evidence(acts):
    """However the steps of a theft and two other ends mix, what was told as replayed is kept."""
    count = 0
    for stage, outcomes in schedules(acts):
        check(stage, outcomes)
        count += 1
    assert count > 50


# The checks bite


def left_at_first(patch):
    """What an end leaves may be put back at a version that a request expects."""
    patch.setattr(ending, "_LEFT", 1)


def evidence_is_put_back_once(patch):
    """Whoever finds another end's tombstone in the place of evidence gives up."""
    patch.setattr(ending, "_ATTEMPTS", 1)


def logins_follow_nobody(patch):
    """A login takes no notice of where its session went on."""
    patch.setattr(tombstones, "replacement_of", lambda record: None)


def losers_go_on(patch):
    """A step-up does not care whether its session has ended."""
    patch.setattr(regenerate, "CONTINUING", frozenset())


def values_stay(patch):
    """What a rival wrote is not merged."""
    whole = regenerate._replacement
    patch.setattr(
        regenerate,
        "_replacement",
        lambda transaction, *given, old, theirs: whole(
            transaction, *given, old=old, theirs=transaction.opened.values
        ),
    )


@pytest.mark.parametrize(
    ("weaken", "test", "given"),
    [
        (left_at_first, test_writer_brings_back_no_session_that_was_ended_twice, ()),
        (evidence_is_put_back_once, test_no_ends_at_once_wipe_out_evidence, (ENDS[0],)),
        (logins_follow_nobody, test_two_acts_leave_nothing_that_may_not_be, (ROTATED, "login")),
        (losers_go_on, test_two_acts_leave_nothing_that_may_not_be, (ROTATED, "step up")),
        (values_stay, test_two_acts_leave_nothing_that_may_not_be, (ROTATED, "login")),
    ],
)
def test_weakened_service_is_noticed(monkeypatch, weaken, test, given):
    """Each check is of some use: without what it guards some meeting fails it."""
    test(*given)
    weaken(monkeypatch)

    with pytest.raises(AssertionError):
        test(*given)
