"""Those who ask: browsers with one cookie each, which write down what they asked and saw."""

import asyncio
import contextlib
import json
import time
from urllib.parse import urlencode

from chaos.worker import SINGLE
from sessile.core.version_hint import SUFFIX
from sessile.testing.history import TURNS, Fate, Operation, Sight, Verb

PATIENCE = 60.0
"""Seconds after which an answer is given up; a worker has its own limits, or is killed."""

INSISTENCE = 180.0
"""Seconds for which it is asked again: a fail-over takes long on a busy machine."""

ATTEMPT = 0.05
"""Seconds before it is asked again."""

MEANT = frozenset((200, 401, 503))
"""What a user may be answered: 503 with a Retry-After."""

WISHES = {
    Verb.READ: 20,
    Verb.APPEND: 30,
    Verb.ADD: 14,
    Verb.PUT: 14,
    Verb.ROTATE: 2,
    Verb.LOGIN: 8,
    Verb.STEP_UP: 8,
    Verb.LOGOUT: 4,
    Verb.END_ALL: 1,
}
BURST = (Verb.APPEND, Verb.APPEND, Verb.ADD, Verb.READ)
BURSTS = 0.06
CUTS = 0.02
ID_CHARS = 20
"""Of a ticket's text those that are no secret."""


class Browser:
    """One client.

    Args:
        name: its own.
        user: whom it logs in.
        chance: decides what it does.
        ports: of the workers, as they are at any moment.
        history: where operations are written down.
        wishes: what it does, each with how often.
        cut: the share of its requests that it gives up at once.

    Attributes:
        cookie: the one cookie with a ticket; "" for none.
        hints: the others, which say what versions were seen, by name.
        life: of the session that was seen last; "" for none.
        is_named: whether the last answer showed it. Before, two requests at once could name it
            differently, so one is asked at a time.
        cuts: how many requests it gave up.
        wrong: what it was answered that no user is to see.
    """

    def __init__(self, name, user, chance, ports, history, *, wishes, cut=CUTS):
        self.name = name
        self.user = user
        self.cookie = self.life = ""
        self.hints = {}
        self.is_named = False
        self.cuts, self.wrong = 0, []
        self._chance = chance
        self._ports = ports
        self._history = history
        self._wishes = wishes
        self._drawn = 0
        self._cut = cut

    async def live(self, is_over):
        """Do as one likes until the time is over."""
        while not is_over():
            if self.is_named and self._chance.random() < BURSTS:
                await asyncio.gather(*map(self.ask, BURST))
                continue
            (verb,) = self._chance.choices(list(self._wishes), list(self._wishes.values()))
            before = self.cookie
            fate = await self.ask(verb)
            if fate is Fate.UNKNOWN and verb in TURNS:
                await self.insist(Verb.LOGIN)
            elif fate is Fate.OK and verb is Verb.LOGOUT:
                await self.ask(Verb.READ, stolen=before)
            await asyncio.sleep(self._chance.random() * 0.02)

    async def insist(self, verb):
        """Ask until there is an answer."""
        end = time.monotonic() + INSISTENCE
        while await self.ask(verb) is not Fate.OK:
            if time.monotonic() > end:
                raise SystemExit(f"{self.name} had no answer in {INSISTENCE:g} s: {verb.value}")
            await asyncio.sleep(ATTEMPT)

    async def ask(self, verb, *, stolen=""):
        """Make one operation and write it down; return what became of it.

        Args:
            verb: what is asked for.
            stolen: a cookie of before a logout, with which somebody tries their luck.
        """
        self._drawn += 1
        fresh = f"{self.name}.{self._drawn}"
        given = {
            Verb.APPEND: fresh,
            Verb.PUT: f"{self._chance.choice('ab')}={fresh}",
            Verb.LOGIN: self.user,
            Verb.END_ALL: self.user,
        }.get(verb, "pay" if verb is Verb.STEP_UP else "")
        life, shown, began = self.life, stolen or self.cookie, time.monotonic()
        fate, body, kept = await self.post(
            {"verb": verb.value, "given": given, "life": fresh}, stolen
        )
        sight = None
        if fate is Fate.OK and verb not in {Verb.LOGOUT, Verb.END_ALL}:
            sight = Sight(**body | {"items": tuple(body["items"])})
            if not stolen and (kept or self.cookie == shown):  # else it tells of another cookie
                if verb is not Verb.LOGIN:  # a login takes over what it cannot show
                    self.life = sight.life
                self.is_named = bool(sight.life)
        if verb is Verb.LOGOUT and fate is Fate.OK:
            self.life, self.is_named = "", False
        who = "operator" if verb is Verb.END_ALL else self.name
        got = _id(self.cookie) if kept else ""
        self._history.append(
            Operation(
                who, verb, began, time.monotonic(), fate, life, given, sight, fresh, _id(shown), got
            )
        )
        return fate

    async def post(self, words, stolen=""):
        """Return what became of a request, its answer, and whether that had a cookie to keep."""
        patience = PATIENCE
        if self.is_named and self._chance.random() < self._cut:
            self.cuts += 1
            patience = self._chance.random() * 0.02
        sent = False
        writer = None
        try:
            async with asyncio.timeout(patience):
                port = self._chance.choice(self._ports)
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                sent = True
                cookies = filter(None, (stolen or self.cookie, *self.hints.values()))
                writer.write(_request(words, "; ".join(cookies)))
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                body = await reader.read()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            return (Fate.UNKNOWN if sent else Fate.REFUSED), None, False
        finally:
            if writer is not None:
                writer.close()
        status = int(head.split(" ", 2)[1])
        if status not in MEANT or (status == 503 and "\r\nretry-after: " not in head.lower()):
            self.wrong.append(head.partition("\r\n")[0])
        if status != 200:
            return (Fate.REFUSED if status in {401, 403} else Fate.UNKNOWN), None, False
        with contextlib.suppress(ValueError):
            answer = json.loads(body)
            return Fate.OK, answer, not stolen and self._keep_cookie(head)
        return Fate.UNKNOWN, None, False  # the worker was killed while it answered

    def _keep_cookie(self, head):
        """Keep the cookies that an answer sets; tell whether one has another ticket."""
        before = self.cookie
        for line in head.split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() == "set-cookie" and value.startswith("sid="):
                self.cookie = "" if "Max-Age=0" in value else value.partition(";")[0]
            if name.lower() == "set-cookie" and value.startswith(f"sid{SUFFIX}"):
                self.hints[value.partition("=")[0]] = value.partition(";")[0]
        return self.cookie != before

    async def count(self):
        """Return how many sessions its user has."""
        while True:
            fate, number, _ = await self.post({"verb": "count", "given": self.user, "life": ""})
            if fate is Fate.OK:
                return number
            await asyncio.sleep(ATTEMPT)

    @property
    def is_single(self):
        """Whether its user may have one session."""
        return self.user.startswith(SINGLE)


def _id(cookie):
    """Return the public part of a ticket."""
    return cookie.partition("=")[2][:ID_CHARS]


def _request(words, cookie):
    lines = [f"POST /?{urlencode(words)} HTTP/1.1", "Host: chaos", "Connection: close"]
    lines += ["Content-Length: 0", "User-Agent: Mozilla/5.0 (X11; Linux) Firefox/140.0"]
    lines += [f"Cookie: {cookie}"] if cookie else []
    return "\r\n".join([*lines, "", ""]).encode()
