"""Judge what clients of a system under fire saw: nothing acknowledged is lost, nothing ended lives.

Clients write down each operation, when it began and ended and what came of it; ``faults`` says what
of that no sound system could have answered. Pure. ``chaos/`` in the repository makes such histories
with worker processes that are killed; use it with any application of yours.

A *life* is what a session's values go through, from the first value, through logins, step-ups and
rotations, to the logout. The application names it: ``session.setdefault("life", fresh)``, with a
name that the client drew for this request. So an answer tells to which life it belongs.

An operation whose answer never came is *unknown*: it was carried out, or not, or will be. What a
client sets while a login, a step-up or an end of its session is under way may go with the session
that is replaced; the checker demands nothing of it. An unknown one of these is under way until the
client knows of a later one, so a client repeats it before it does anything else.
"""

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate, pairwise
from typing import Final

from sessile.core.value import Instant, Seconds


class Verb(Enum):
    """What a client asks for."""

    READ = "read"
    APPEND = "append an item to a list"
    ADD = "add one to a counter"
    PUT = "set a key"
    ROTATE = "rotate"
    LOGIN = "login"
    STEP_UP = "step up"
    LOGOUT = "logout"
    END_ALL = "end all"


class Fate(Enum):
    """What a client knows of an operation."""

    OK = "acknowledged"
    REFUSED = "not carried out"
    UNKNOWN = "carried out or not"


TURNS: Final = frozenset((Verb.LOGIN, Verb.STEP_UP, Verb.LOGOUT))
"""What replaces or ends the client's own session."""

_WRITES: Final = frozenset((Verb.APPEND, Verb.ADD, Verb.PUT))


@dataclass(frozen=True, slots=True)
class Sight:
    """The session that an answer showed, with what its request did.

    Attributes:
        life: its name; "" where there is no session.
        user: who is logged in.
        items: the list.
        count: the counter.
        values: the keys that were set.
    """

    life: str = ""
    user: str | None = None
    items: tuple[str, ...] = ()
    count: int = 0
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one client.

    Attributes:
        client: whose; a browser of one user.
        verb: what it asked for.
        began: when it was sent; the times of all clients are of one clock.
        ended: when its fate was known.
        fate: what became of it.
        life: the one that the client believed to be in; "" for none.
        fresh: the name of the one that begins with it, where there was none.
        ticket: the id that it showed, never the secret behind it; "" for none.
        got: the id that its answer handed over, where it was another; "" for none.
        given: the item, the ``key=value``, or the user; no two appends or puts give the same.
        sight: what it was shown; None where no answer came, and of a logout or an end.
    """

    client: str
    verb: Verb
    began: Instant
    ended: Instant
    fate: Fate
    life: str = ""
    given: str = ""
    sight: Sight | None = None
    fresh: str = ""
    ticket: str = ""
    got: str = ""

    @property
    def lives(self) -> set[str]:
        """The lives it may belong to."""
        return {self.life, self.fresh} if self.sight is None else {self.sight.life}

    def __str__(self) -> str:
        what = f"{self.verb.value} {self.given}".strip()
        return f"{self.client}: {what}, {self.began:.3f} to {self.ended:.3f}, {self.fate.value}"


@dataclass(frozen=True, slots=True)
class HistoryFault:
    """What no sound system could have answered.

    Attributes:
        text: a sentence; its first word says of what kind.
        about: the operations that contradict each other, the one that showed it last.
    """

    text: str
    about: tuple[Operation, ...]

    def __str__(self) -> str:
        return self.text


def faults(
    operations: Iterable[Operation], *, limit: int | None = None, lag: Seconds = 0.0
) -> list[HistoryFault]:
    """Return the faults of a history; none where all is well.

    Args:
        operations: of all clients, in any order.
        limit: how many sessions a user may have, where the oldest end.
        lag: for how long somebody may see what has ended, as behind a near cache.
    """
    return list(_Judge(operations, limit, lag).faults())


def excess(
    operations: Iterable[Operation], left: Mapping[str, int], *, limit: int | None = None
) -> list[str]:
    """Return the users with more sessions in the end than there can be, a sentence each.

    Args:
        operations: of all clients.
        left: the number of live sessions of each user, as the store lists them.
        limit: how many a user may have; None allows one for each client of theirs, and for each
            login or step-up of which nobody knows whether it was carried out.
    """
    clients: defaultdict[str, set[str]] = defaultdict(set)
    unknown: Counter[str] = Counter()
    users: dict[str, str] = {}
    for each in sorted(operations, key=lambda one: one.began):
        if each.verb is Verb.LOGIN:
            users[each.client] = each.given
            clients[each.given].add(each.client)
        if each.fate is Fate.UNKNOWN and each.verb in {Verb.LOGIN, Verb.STEP_UP}:
            unknown[users.get(each.client, "")] += 1
    most = {user: limit or len(clients[user]) + unknown[user] for user in left}
    return [
        f"{user} has {number} live sessions, and can have {most[user]}"
        for user, number in left.items()
        if number > most[user]
    ]


class _Judge:
    """A history, by lives and by clients.

    Attributes:
        lives: the operations that may belong to each life, by the life.
        late: the lives that first writes without an answer may name at any time, by client; what
            is written beside them, or after, may be in any of them.
    """

    def __init__(self, operations: Iterable[Operation], limit: int | None, lag: Seconds) -> None:
        self.limit = limit
        self.lag = lag
        self.lives: defaultdict[str, list[Operation]] = defaultdict(list)
        self.turns: defaultdict[str, list[Operation]] = defaultdict(list)
        self.clients: defaultdict[str, list[Operation]] = defaultdict(list)
        self.ends: defaultdict[str, list[Operation]] = defaultdict(list)
        self.late: defaultdict[str, set[str]] = defaultdict(set)
        self.appends: dict[str, Operation] = {}
        near: defaultdict[str, set[str]] = defaultdict(set)  # those of late since the last logout
        self._windows: dict[str, tuple[list[Instant], list[Instant]]] = {}
        for each in sorted(operations, key=lambda one: one.began):
            if each.fate is Fate.REFUSED:
                continue
            if each.verb is Verb.LOGOUT and each.fate is Fate.OK:
                near[each.client].clear()
            if each.verb in _WRITES and each.fate is Fate.UNKNOWN and not each.life:
                self.late[each.client].add(each.fresh)
                near[each.client].add(each.fresh)
            others = near[each.client] if each.verb in _WRITES else set()
            for life in (each.lives | others) - {""}:
                self.lives[life].append(each)
            if each.verb in TURNS:
                self.turns[each.client].append(each)
            if each.verb is Verb.APPEND:
                self.appends[each.given] = each
            if each.verb is Verb.END_ALL or (limit is not None and each.verb is Verb.LOGIN):
                self.ends[each.given].append(each)
            if each.fate is Fate.OK and each.sight is not None:
                self.clients[each.client].append(each)

    def faults(self) -> Iterator[HistoryFault]:
        for life, operations in self.lives.items():
            writes = [each for each in operations if each.verb in _WRITES and life in each.lives]
            sure = [each for each in writes if self.is_sure(each)]
            for each in operations:
                if each.sight is None or each.sight.life != life:
                    continue
                if not self.may_be_old(each):
                    yield from self.check_items(each, each.sight, sure)
                    yield from self.check_count(each, each.sight, operations, sure)
                    yield from self.check_keys(each, each.sight, operations, sure)
            yield from self.check_end(life, operations)
        for operations in self.clients.values():
            yield from self.check_thread(operations)

    def is_sure(self, operation: Operation) -> bool:
        """Tell whether what it set has to be there from now on."""
        began, settled = self.windows(operation.client)
        before = bisect_left(began, operation.ended)  # that many turns began before it ended
        return operation.fate is Fate.OK and (not before or settled[before - 1] <= operation.began)

    def windows(self, client: str) -> tuple[list[Instant], list[Instant]]:
        """Return when each turn of a client began, and from when on all up to it are over."""
        if client not in self._windows:
            turns = self.turns[client]
            settled = accumulate((_end_of_turn(turn, turns) for turn in turns), max)
            self._windows[client] = [turn.began for turn in turns], list(settled)
        return self._windows[client]

    def check_items(
        self, seen_by: Operation, sight: Sight, sure: Sequence[Operation]
    ) -> Iterator[HistoryFault]:
        """The items: each that is sure, once; each other one at most once, and asked for."""
        found = Counter(sight.items)
        for each in sure:
            due = each.ended < seen_by.began or each is seen_by
            if each.verb is Verb.APPEND and due and not found[each.given]:
                yield HistoryFault(f"lost: ({each}) is not seen by ({seen_by})", (each, seen_by))
        for item, times in found.items():
            if times > 1:
                text = f"doubled: {item} stands {times} times in what ({seen_by}) saw"
                yield HistoryFault(text, (seen_by,))
            asked = self.appends.get(item)
            if asked is None or asked.began > seen_by.ended:
                text = f"invented: nobody had appended {item} that ({seen_by}) saw"
                yield HistoryFault(text, (seen_by,))

    def check_count(
        self,
        seen_by: Operation,
        sight: Sight,
        operations: Sequence[Operation],
        sure: Sequence[Operation],
    ) -> Iterator[HistoryFault]:
        """The counter: between what is sure and all that was asked for."""
        adds = [each for each in operations if each.verb is Verb.ADD]
        due = [each for each in sure if each.verb is Verb.ADD]
        least = sum(each.ended < seen_by.began or each is seen_by for each in due)
        most = sum(each.began < seen_by.ended for each in adds)
        if not least <= sight.count <= most:
            text = f"miscounted: ({seen_by}) saw {sight.count}, not {least} to {most}"
            yield HistoryFault(text, (seen_by,))

    def check_keys(
        self,
        seen_by: Operation,
        sight: Sight,
        operations: Sequence[Operation],
        sure: Sequence[Operation],
    ) -> Iterator[HistoryFault]:
        """The keys: none older than one that is sure, and none that was never set."""
        puts = {each.given: each for each in operations if each.verb is Verb.PUT}
        for each in sure:
            if each.verb is not Verb.PUT or not each.ended < seen_by.began:
                continue
            key = each.given.partition("=")[0]
            found = puts.get(f"{key}={sight.values.get(key)}")
            if key not in sight.values:
                yield HistoryFault(f"lost: ({each}) is not seen by ({seen_by})", (each, seen_by))
            elif found is not None and found.fate is Fate.OK and found.ended < each.began:
                text = f"went back: ({seen_by}) saw ({found}) and not ({each})"
                yield HistoryFault(text, (found, each, seen_by))
        for key, value in sight.values.items():
            asked = puts.get(f"{key}={value}")
            if asked is None or asked.began > seen_by.ended:
                text = f"invented: nobody had set {key}={value} that ({seen_by}) saw"
                yield HistoryFault(text, (seen_by,))

    def check_end(self, life: str, operations: Sequence[Operation]) -> Iterator[HistoryFault]:
        """What has ended: nobody sees it any more who asked after the end was acknowledged."""
        seen = [each for each in operations if each.sight and each.sight.life == life]
        for end in self.ends_of(operations, seen):
            if seen and seen[-1].began <= end.ended:
                continue
            for each in seen:
                if each.began > end.ended + self.lag and each is not end:
                    yield HistoryFault(
                        f"lives on: ({each}) saw what ({end}) had ended", (end, each)
                    )

    def ends_of(
        self, operations: Sequence[Operation], seen: Sequence[Operation]
    ) -> Iterator[Operation]:
        """Yield the acknowledged operations that ended a life."""
        for each in operations:
            if each.verb is Verb.LOGOUT and each.fate is Fate.OK:
                yield each
        owned = [each for each in seen if each.sight and each.sight.user]
        if not owned:
            return
        first, client = owned[0], owned[0].client
        began, settled = self.windows(client)
        for end in self.ends[(first.sight and first.sight.user) or ""]:
            if end.verb is Verb.LOGIN and (self.limit != 1 or end.client == client):
                continue
            before = bisect_left(began, end.ended + self.lag)
            met = before > 0 and end.began < settled[before - 1]  # a turn was under way
            if end.fate is Fate.OK and end.began > first.ended and not met:
                yield end

    def check_thread(self, operations: Sequence[Operation]) -> Iterator[HistoryFault]:
        """The life of a client: it goes on, through every login, if nothing has ended it.

        An answer to a login may come too early to show what it takes over. Two first visits at once
        begin two lives, of which the browser keeps one. One that got no answer may come last, and
        name a life that began without it.
        """
        longest = max((each.ended - each.began for each in operations), default=0.0)
        settled = [each for each in operations if each.verb not in TURNS and self.is_sure(each)]
        began = [each.began for each in operations]
        for before, after in pairwise(settled):
            life = before.sight.life if before.sight else ""
            if not life or after.sight is None or after.sight.life == life:
                continue
            near = operations[
                bisect_left(began, before.began - longest) : bisect_right(began, after.ended)
            ]
            lives = {
                each.sight.life
                for each in near
                if each.sight and each.ended > before.began and each.began < before.ended
            }
            is_other = after.sight.life not in self.late[before.client]
            if lives == {life} and is_other and not self.may_end(before, after):
                text = f"lost: ({after}) saw nothing of the session that ({before}) had"
                yield HistoryFault(text, (before, after))

    def may_be_old(self, seen_by: Operation) -> bool:
        """Tell whether it may be shown what has ended: none of what was set beside the end."""
        if not self.lag:
            return False
        turns = self.turns[seen_by.client]
        ends = [turn for turn in turns if turn.verb is Verb.LOGOUT]
        for user in {turn.given for turn in turns if turn.verb is Verb.LOGIN}:
            ends += [end for end in self.ends[user] if end.client != seen_by.client]
        return any(
            end.began < seen_by.ended
            and seen_by.began < _end_of_turn(end, self.turns[end.client]) + self.lag
            for end in ends
        )

    def may_end(self, before: Operation, after: Operation) -> bool:
        """Tell whether anything may have ended the session of a client between two operations."""
        turns = self.turns[before.client]
        ends = [turn for turn in turns if turn.verb is Verb.LOGOUT]
        if self.limit is not None:  # a login that was given up may come last, and end the others
            lost = (turn for turn in turns if turn.fate is Fate.UNKNOWN)
            ends += [turn for turn in lost if turn.verb is Verb.LOGIN]
        for user in {turn.given for turn in turns if turn.verb is Verb.LOGIN}:
            ends += [end for end in self.ends[user] if end.client != before.client]
        return any(
            end.began < after.ended and before.began < _latest(end) + self.lag for end in ends
        )


def _latest(operation: Operation) -> Instant:
    """Return until when an operation may be carried out."""
    return math.inf if operation.fate is Fate.UNKNOWN else operation.ended


def _end_of_turn(turn: Operation, turns: Sequence[Operation]) -> Instant:
    """Return from when on a turn of a client is over: for an unknown one, from its next one on."""
    if turn.fate is Fate.OK:
        return turn.ended
    later = (each.ended for each in turns if each.fate is Fate.OK and each.began > turn.ended)
    return min(later, default=math.inf)
