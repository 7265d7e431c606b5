"""The feed of ``nats://``: which sessions' messages are stored. ``wire.nats.listener`` hears them.

The heartbeat is a message of the feed's own, stored in the same stream at a time ``t``. The server
tells what is stored in its order, so when the beat is told, all that was acknowledged before ``t``
has been. It is stored by a majority of the servers, as anything is: a part of them that is cut off,
which does not know what the others store, vouches for nothing.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from sessile.core.ticket import Key, is_key
from sessile.core.value import Seconds
from sessile.stores.mirror import Mirror
from sessile.stores.nats_rows import ENDED
from sessile.stores.nats_url import NatsPlace
from sessile.wire.feed.connection import BEAT, Heard
from sessile.wire.nats.listener import NatsListener, Told
from sessile.wire.nats.messages import TTL

_BEAT_TTL: Final = "10s"


class NatsFeed:
    """Keys of sessions, out of the subjects that are told.

    Args:
        listener: hears of sessions, of everybody's end, and of the beat.
        place: the stream.
        beat: a subject that nobody else has.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        listener: NatsListener,
        place: NatsPlace,
        beat: str,
        timer: Callable[[], Seconds],
    ) -> None:
        self._listener, self._timer = listener, timer
        self._place, self._beat = place, beat
        self._limit = place.endpoint.timeout
        self._sent = -math.inf  # when the last beat was
        self._is_back = True
        self._heard = -math.inf  # when anything was told

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        try:
            return self._wait(self._timer() + seconds)
        except OSError as error:
            failure = self._place.endpoint.failure(error)
        raise failure  # out here it has no other context than its cause

    def close(self) -> None:
        """Close the connection. Harmless when repeated."""
        self._listener.close()

    def _wait(self, until: Seconds) -> Heard:
        now = self._timer()
        if self._is_back and now >= self._sent + BEAT:
            self._sent, self._is_back = now, False
            self._listener.send(self._beat, {TTL: _BEAT_TTL})
        last = max(self._sent, self._heard)
        if not self._is_back and now >= last + self._limit:  # much may stand before it
            raise TimeoutError
        next_act = self._sent + BEAT if self._is_back else last + self._limit
        told = self._listener.receive(max(min(until, next_act) - now, 0.0))
        if told:
            self._heard = self._timer()
        return self._sort(told)

    def _sort(self, told: Sequence[Told]) -> Heard:
        keys: dict[Key, None] = {}
        anything, as_of = False, None
        for subject, data in told:
            name = subject.removeprefix(self._place.sessions)
            if name != subject:
                if is_key(name):
                    keys[Key(name)] = None
                    self._note(Key(name), data)
            elif subject == self._beat:
                self._is_back, as_of = True, self._sent
            else:
                anything = True
                self._note_end()
        if as_of is not None:
            self._note_beat(as_of)
        return Heard(tuple(keys), anything, as_of)

    def _note(self, key: Key, data: bytes) -> None:
        """Take what was told of a session."""

    def _note_end(self) -> None:
        """Take that everybody has ended."""

    def _note_beat(self, as_of: Seconds) -> None:
        """Take that all from before that time was told."""


class NatsMirrorFeed(NatsFeed):
    """The same, where the records are told as well: a mirror is kept up.

    Args:
        listener: hears of whole messages, and of all there are.
        place: the stream.
        beat: a subject that nobody else has.
        timer: seconds by a clock that never runs backwards.
        mirror: is replaced once all that is there has come.
    """

    def __init__(
        self,
        listener: NatsListener,
        place: NatsPlace,
        beat: str,
        timer: Callable[[], Seconds],
        mirror: Mirror,
    ) -> None:
        super().__init__(listener, place, beat, timer)
        self._mirror = mirror
        self._rows: dict[Key, bytes] = {}

    def _note(self, key: Key, data: bytes) -> None:
        if data == ENDED:
            self._rows.pop(key, None)
        else:
            self._rows[key] = data

    def _note_end(self) -> None:
        self._rows.clear()

    def _note_beat(self, as_of: Seconds) -> None:
        self._mirror.rows = self._rows  # with the first one, it stands behind all there was
        self._mirror.as_of = as_of
