"""Those who ask: a million who look and go, and as many as are asked for who have a session.

Each session is a list of wishes, one after another, with time in between: sessions wait in a queue
for their turn, so that thousands are under way at once. All keep to one pace.
"""

import asyncio
import time
from asyncio import IncompleteReadError
from collections import Counter, deque

from soak.visits import Connection, Visitor, Wish

ACTS = {Wish.LOOK: 45, Wish.COUNT: 15, Wish.PUT: 15, Wish.LOGIN: 15, Wish.ROTATE: 10}
"""What is done with a session, each with how often."""

LENGTH = 3
"""How many acts a session has on average, its first one and a logout left out."""

LOOKS = 2
"""How many pages are looked at, one at once after the other: the later ones from a copy."""

LOGOUTS = 0.35
"""The share of the sessions that are logged out, and looked at once more; others expire."""

TURNS_EACH = 1 + LENGTH + 2 * LOGOUTS
"""How many acts that are in all, so that as many visitors come between them at any time."""

REQUESTS_EACH = 1 + LENGTH * (1 + 0.45 * (LOOKS - 1)) + (1 + LOOKS) * LOGOUTS
"""How many requests that are in all."""

UNDER_WAY = 0.02
"""The share of all sessions that are under way at a time."""

HANG_UPS = 0.002
"""The share of the requests whose answer nobody waits for."""

RECONNECTS = 0.01
"""The share of the requests after which somebody else's connection begins."""

USERS = 0.2
"""Users for each session."""


class Crowd:
    """All who ask.

    Args:
        asked: the arguments.
        chance: decides who does what.

    Attributes:
        counts: what was done.
        wrong: what went wrong.
        requests: how many there were.
    """

    def __init__(self, asked, chance):
        self.counts = Counter()
        self.wrong = Counter()
        self.requests = 0
        self._chance = chance
        self._users = max(1, int(asked.sessions * USERS))
        self._visitors, self._sessions = asked.visitors, asked.sessions
        self._most = max(8, int(asked.sessions * UNDER_WAY))
        self._queue = deque()
        requests = asked.visitors + asked.sessions * REQUESTS_EACH
        self._each = asked.seconds / requests
        self._due = 0.0

    async def visit(self, ports, connections):
        """Visit until all have been there."""
        self._due = time.monotonic()
        await asyncio.gather(
            *(self._live(Connection(ports[n % len(ports)])) for n in range(connections))
        )

    async def _live(self, connection):
        while (turn := self._next()) is not None:
            self._due += self._each
            await asyncio.sleep(self._due - time.monotonic())
            await self._take(connection, *turn)
        connection.close()

    async def _take(self, connection, visitor, wish):
        """Ask, and let somebody with more wishes wait; whoever hung up does not come again."""
        looks = LOOKS if wish is Wish.LOOK and visitor.cookies else 1
        for _ in range(looks):
            if not await self._ask(connection, visitor, wish):
                return
        self._due += self._each * (looks - 1)
        if visitor.wishes:
            self._queue.append(visitor)
        if self._chance.random() < RECONNECTS:
            connection.close()

    async def _ask(self, connection, visitor, wish):
        """Tell whether there was an answer."""
        self.requests += 1
        try:
            if self._chance.random() < HANG_UPS:
                self.counts["hung up"] += 1
                await connection.hang_up(visitor, wish)
                return False
            status = await connection.ask(visitor, wish)
        except (OSError, TimeoutError, IncompleteReadError) as error:
            self.wrong[type(error).__name__] += 1
            connection.close()
            return False
        if status != 200:
            self.wrong[f"HTTP {status}"] += 1
        return True

    def _next(self):
        """Return who asks next and for what; None when nobody is left."""
        turns = (self._sessions + len(self._queue) / 2) * TURNS_EACH
        if self._visitors and self._chance.random() * (self._visitors + turns) < self._visitors:
            self._visitors -= 1
            self.counts["looked and went"] += 1
            return Visitor(), Wish.LOOK
        if self._sessions and len(self._queue) < self._most:
            self._sessions -= 1
            self.counts["sessions begun"] += 1
            return self._newcomer(), Wish.PUT
        if self._queue:
            visitor = self._queue.popleft()
            wish = visitor.wishes.pop()
            self.counts[wish.name.lower()] += 1
            return visitor, wish
        return None

    def _newcomer(self):
        number = round(self._chance.triangular(0, 2 * LENGTH, LENGTH))
        wishes = self._chance.choices(list(ACTS), list(ACTS.values()), k=number)
        if self._chance.random() < LOGOUTS:
            wishes = [Wish.LOOK, Wish.LOGOUT, *wishes]
        return Visitor(f"user{self._chance.randrange(self._users)}", wishes)
