"""The feed of ``nats://``: which sessions' messages are stored. ``wire.nats.listener`` hears them.

The heartbeat is a message of the feed's own, stored in each stream at a time ``t``. The server
tells what is stored in its order, so when every beat is told, all that was acknowledged before
``t`` has been. It is stored by a majority of the servers, as anything is: a part of them that is
cut off, which does not know what the others store, vouches for nothing.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sessile.core.ticket import Key, is_key
from sessile.core.value import Seconds
from sessile.stores.memory_mirror import Heartbeat, MirrorWriter, StreamPosition
from sessile.stores.nats_rows import ENDED
from sessile.stores.nats_url import NatsPlace
from sessile.wire import system
from sessile.wire.feed.connection import BEAT, Heard
from sessile.wire.nats.client import NatsClient
from sessile.wire.nats.endpoint import NatsEndpoint
from sessile.wire.nats.listener import NatsListener, Told
from sessile.wire.nats.messages import BEAT_TTL, TTL

_NAME: Final = 8  # bytes


def listen(
    client: NatsClient, places: Sequence[NatsPlace], *, after: int | None = None
) -> tuple[NatsListener, dict[str, str]]:
    """Return a listener to some streams, and the beats that it hears: see ``NatsFeed``.

    Args:
        client: of their servers.
        places: theirs.
        after: a sequence, behind which it hears of all that is there, too, and of its data.
    """
    beats = {place.sessions: beat_of(place) for place in places}
    subjects = {
        place.stream: (f"{place.sessions}*", place.everybody, beats[place.sessions])
        for place in places
    }
    return client.open_listener(subjects, after=after), beats


def beat_of(place: NatsPlace) -> str:
    """Return a subject of a stream that nobody else knows."""
    return f"{place.address.beats}{system.entropy(_NAME).hex()}"


class NatsFeed:
    """Keys of sessions, out of the subjects that are told.

    Args:
        listener: hears of sessions, of everybody's end, and of the beats.
        endpoint: the servers.
        beats: by what the subjects of a stream's sessions begin with, one of its subjects that
            nobody else has.
        timer: seconds by a clock that never runs backwards.
        pause: seconds between two beats.
    """

    def __init__(
        self,
        listener: NatsListener,
        endpoint: NatsEndpoint,
        beats: Mapping[str, str],
        timer: Callable[[], Seconds],
        pause: Seconds = BEAT,
    ) -> None:
        self._pause = pause
        self._listener, self._timer = listener, timer
        self._endpoint, self._beats = endpoint, beats
        self._sent = -math.inf  # when the last beat was
        self._away: set[str] = set()  # beats that are not back
        self._behind: dict[str, Seconds] = {}  # by beat, when more was to come of its stream

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        try:
            return self._wait(self._timer() + seconds)
        except OSError as error:
            failure = self._endpoint.failure(error)
        raise failure  # out here it has no other context than its cause

    def close(self) -> None:
        """Close the connection. Harmless when repeated."""
        self._listener.close()

    def _wait(self, until: Seconds) -> Heard:
        now = self._timer()
        if not self._away and now >= self._sent + self._pause:
            self._sent, self._away = now, set(self._beats.values())
            for beat in self._beats.values():
                self._listener.send(beat, {TTL: f"{BEAT_TTL}s"})
        if now >= self._late_at():
            raise TimeoutError
        next_act = self._late_at() if self._away else self._sent + self._pause
        return self._sort(self._listener.receive(max(min(until, next_act) - now, 0.0)))

    def _late_at(self) -> Seconds:
        """Return when the first beat is late: much may stand before it, in its own stream."""
        since = [max(self._sent, self._behind.get(beat, self._sent)) for beat in self._away]
        return min(since, default=math.inf) + self._endpoint.timeout

    def _sort(self, told: Sequence[Told]) -> Heard:
        keys: dict[Key, None] = {}
        anything, as_of = False, None
        for each in told:
            subject = each.subject
            begin, dot, name = subject.rpartition(".")
            if begin + dot in self._beats:
                if not each.is_last:
                    self._behind[self._beats[begin + dot]] = self._timer()
                if is_key(name):
                    keys[Key(name)] = None
                    self._note(Key(name), each)
            elif subject in self._away:
                self._away.discard(subject)
                as_of = None if self._away else self._sent
                self._note_beat(each)
            else:
                anything = True
                self._note_end()
        self._end_batch(as_of)
        return Heard(tuple(keys), anything, as_of)

    def _note(self, key: Key, told: Told) -> None:
        """Take what was told of a session."""

    def _note_end(self) -> None:
        """Take that everybody has ended."""

    def _note_beat(self, beat: Told) -> None:
        """Take that a heartbeat was told."""

    def _end_batch(self, as_of: Seconds | None) -> None:
        """Take that all from before that time was told, or that nothing newer is known."""


class NatsMirrorFeed(NatsFeed):
    """The same, where the records are told as well: a mirror is kept up.

    Args:
        listener: hears of whole messages, and of all there are.
        endpoint: the servers.
        beats: as those of ``NatsFeed``.
        timer: seconds by a clock that never runs backwards.
        writer: is given what is told.
    """

    def __init__(
        self,
        listener: NatsListener,
        endpoint: NatsEndpoint,
        beats: Mapping[str, str],
        timer: Callable[[], Seconds],
        writer: MirrorWriter,
    ) -> None:
        super().__init__(listener, endpoint, beats, timer)
        self._writer = writer
        self._beat: Told | None = None

    def _note(self, key: Key, told: Told) -> None:
        self._writer.put(key, None if told.data == ENDED else told.data, told.until)

    def _note_end(self) -> None:
        self._writer.clear()

    def _note_beat(self, beat: Told) -> None:
        self._beat = beat

    def _end_batch(self, as_of: Seconds | None) -> None:
        beat = self._beat
        if as_of is None or beat is None:
            self._writer.flush()
        else:
            position = StreamPosition(beat.subject, beat.seq)
            self._writer.flush(Heartbeat(as_of, position, beat.stored))
