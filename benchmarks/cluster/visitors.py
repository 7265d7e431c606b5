"""Visitors who go on whatever happens to a host, and write down what they asked, saw and waited."""

import asyncio
import random
import time
from collections import Counter
from itertools import cycle

from chaos.clients import WISHES, Browser

from sessile.testing.history import Verb, faults

WRITES = (Verb.APPEND, Verb.ADD, Verb.PUT)
PAUSE = 0.04
"""Seconds between an answer and a visitor's next request: the machine is not to be what is slow."""

AMISS = ("HTTP/1.1 502", "HTTP/1.1 504")
"""What the balancer says of a server that was killed, or hangs, with a request under way."""


class Visitor(Browser):
    """One who asks for the same, until there is an answer, and then again.

    Attributes:
        waits: of each answer when it was first asked for, and when it came.
    """

    def __init__(self, *words, **more):
        super().__init__(*words, wishes=WISHES, cut=0.0, **more)
        self.waits = []

    async def go_on(self, verbs, crowd):
        """Begin a session, and ask for those in turn until it is over."""
        await self.insist(Verb.APPEND)
        for verb in cycle(verbs):
            if crowd.is_over:
                return
            began = time.monotonic()
            await self.insist(verb)
            self.waits.append((began, time.monotonic()))
            await asyncio.sleep(PAUSE * (0.5 + self._chance.random()))


class Crowd:
    """Readers and writers in two places, and others who do all that a session can do.

    Args:
        through: the balancer's port.
        number: writers in each place; there are half as many readers.

    Attributes:
        elsewhere: the ports of the hosts to which nothing happens; those there ask these in turn.
        is_over: whether they are to come to their end.
        history: what all of them asked and saw.
    """

    def __init__(self, through, elsewhere, number):
        self.elsewhere, self.history = list(elsewhere), []
        self._chance = random.Random(1)
        places = {"through the balancer": [through], "at the other hosts": self.elsewhere}
        self.groups = {
            (place, what): [self._visitor(f"{place}, {what} {n}", ports) for n in range(count)]
            for place, ports in places.items()
            for what, count in (("read", number // 2), ("write", number))
        }
        self.browsers = [
            Browser(f"b{n}", f"user {n // 3}", self._draw(), [through], self.history, wishes=WISHES)
            for n in range(2)
        ]
        self.is_over = False

    def _draw(self):
        return random.Random(self._chance.getrandbits(64))

    def _visitor(self, name, ports):
        return Visitor(name, name, self._draw(), ports, self.history)

    def begin(self):
        """Have all of them go on, each by itself."""
        verbs = {"read": (Verb.READ,), "write": WRITES}
        self._lives = [
            asyncio.create_task(one.go_on(verbs[what], self))
            for (_, what), those in self.groups.items()
            for one in those
        ] + [asyncio.create_task(one.live(lambda: self.is_over)) for one in self.browsers]

    async def end(self):
        """Have all of them come to their end, and look once more."""
        self.is_over = True
        await asyncio.gather(*self._lives)
        everybody = [one for those in self.groups.values() for one in those] + self.browsers
        await asyncio.gather(*(one.insist(Verb.READ) for one in everybody))

    def longest(self, place, what, began, ended):
        """Return the longest wait that was under way between two moments, in seconds."""
        waits = [wait for one in self.groups[place, what] for wait in one.waits]
        return max(
            (done - asked for asked, done in waits if asked < ended and done > began), default=0.0
        )

    def faults(self, lag):
        """Return what no sound cluster could have answered, and what no user is to see."""
        everybody = [one for those in self.groups.values() for one in those] + self.browsers
        wrong = Counter(
            said for one in everybody for said in one.wrong if not said.startswith(AMISS)
        )
        return [
            *(f"{times} times, in a user's face: {said}" for said, times in wrong.items()),
            *map(str, faults(self.history, lag=lag)),
        ]
