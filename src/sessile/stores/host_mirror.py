"""A mirror that all processes of a host have in common: one LMDB file, in memory.

Each process follows a feed of keys, as with any near cache. One of them, which has the *duty*,
follows the records instead, and writes them: what was told at once is one transaction, with the
time as of which it is. When that process ends another one goes on, from where the file has the
stream. Until then the time grows old, and the store is asked.
"""

import hashlib
import math
from collections.abc import Callable
from functools import partial
from typing import Final

from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.errors import ConfigError, StoreUnavailable
from sessile.stores.memory_mirror import Heartbeat, MirrorWriter, StreamPosition
from sessile.stores.mirror_rows import Edition, MirrorRows
from sessile.wire import system
from sessile.wire.feed.connection import BEAT, FeedConnection, Heard
from sessile.wire.lmdb.cache_file import share_cache_file
from sessile.wire.lmdb.environment import Transaction
from sessile.wire.presence import Duty

_REST: Final[Seconds] = 5.0
"""How long a process that could not write leaves it to others, and follows keys."""

_NOTHING: Final = (-math.inf, b"", None)


class HostMirror:
    """The rows in a file.

    Args:
        name: says whose sessions they are; no others have the same.
        store: what errors call the store.
        timer: seconds by a clock that all processes of the host have in common.
    """

    def __init__(
        self, name: str, store: str, *, timer: Callable[[], Seconds] = system.timer
    ) -> None:
        digest = hashlib.sha256(name.encode()).hexdigest()[:20]
        self._store, self._timer = store, timer
        self._file = share_cache_file(f"mirror-{digest}.lmdb", store, self)
        self._duty = Duty(lambda: self._file.path)
        self._rows = MirrorRows()
        self._rests_until: Seconds = -math.inf

    @property
    def as_of(self) -> Seconds:
        """On the timer; whatever was changed before then is here."""
        as_of = self._file.read(self._rows.as_of)
        return -math.inf if as_of is None else as_of

    @property
    def is_writer(self) -> bool:
        """Whether it is this process that writes the file."""
        return self._duty.is_ours

    def __len__(self) -> int:
        """How many sessions are here."""
        return self._file.read(self._rows.count) or 0

    def look(self, key: Key) -> tuple[Seconds, bytes, bytes | None]:
        """Return the time, a mark and a row, all of one instant."""
        return self._file.read(partial(self._rows.look, key.encode())) or _NOTHING

    def prepare(self) -> None:
        """Open the file, if it is there: a process that starts in an outage has it at once."""
        self._file.look()

    def follow(
        self, keys: Callable[[], FeedConnection], records: Callable[[MirrorWriter], FeedConnection]
    ) -> FeedConnection:
        """Open a feed that writes the file, or one of keys where another process writes it."""
        return HostMirrorFeed(self, keys, partial(self._open_writing, records), self._timer)

    def close(self) -> None:
        """Let go of the file; the feed gives the duty up."""
        self._rests_until = math.inf
        self._file.close(self)

    def take_duty(self) -> bool:
        """Have the file be written here, if nobody else writes it; tell whether it is.

        Raises:
            StoreUnavailable: it was, or there is no place for it.
        """
        was_ours = self._duty.is_ours
        if not was_ours and self._timer() < self._rests_until:
            return False
        try:
            is_ours = self._duty.take()
        except ConfigError as error:
            failure = StoreUnavailable(self._store, str(error))
        else:
            if is_ours or not was_ours:
                return is_ours
            failure = StoreUnavailable(self._store, _REPLACED)
        self._rest()
        raise failure

    def give_up_duty(self) -> None:
        """Leave it to another process."""
        self._duty.give_up()

    def write(self, act: Callable[[Transaction], None], *, clear: bool) -> None:
        """Change what is there, as one act, or write it anew.

        Raises:
            StoreUnavailable: nothing was changed.
        """
        try:
            self._file.write(act, clear=clear)
        except StoreUnavailable as error:
            self._rest_after(error)
            raise

    def tidy(self) -> None:
        """Free what processes held that were killed."""
        self._file.forget_dead_readers()

    def _open_writing(self, records: Callable[[MirrorWriter], FeedConnection]) -> FeedConnection:
        try:
            self._file.make()
        except StoreUnavailable as error:
            self._rest_after(error)
            raise
        if not self._duty.take():  # somebody has deleted it meanwhile
            raise StoreUnavailable(self._store, _REPLACED)
        return records(_FileWriter(self, self._rows, self._file.read(self._rows.position)))

    def _rest_after(self, error: StoreUnavailable) -> None:
        if error.__cause__ is not None:  # else it is open in a moment, as after a fork
            self._rest()

    def _rest(self) -> None:
        self._rests_until = self._timer() + _REST


_REPLACED: Final = "another file stands where its mirror was"


class _FileWriter:
    """Takes what a feed tells, and writes it as one act."""

    def __init__(
        self, mirror: HostMirror, rows: MirrorRows, position: StreamPosition | None
    ) -> None:
        self.position = position
        self._mirror, self._rows = mirror, rows
        self._edition = Edition(system.entropy(8))
        self._told: list[tuple[Key, bytes | None, Instant]] = []
        self._is_anew = False
        self._swept = b""

    def put(self, key: Key, data: bytes | None, until: Instant) -> None:
        self._told.append((key, data, until))

    def clear(self) -> None:
        self._told.clear()
        self._is_anew = True

    def flush(self, beat: Heartbeat | None = None) -> None:
        if beat is None and not self._told and not self._is_anew:
            return
        self._mirror.write(partial(self._write, beat), clear=self._is_anew)
        self._told, self._is_anew = [], False
        if beat is not None:
            self._mirror.tidy()

    def _write(self, beat: Heartbeat | None, transaction: Transaction) -> None:
        for key, data, until in self._told:
            self._edition.put(transaction, key, data, until)
        if beat is not None:
            self._swept = self._rows.sweep(transaction, self._swept, beat.now)
            self._rows.vouch(transaction, beat.as_of, beat.position)


class HostMirrorFeed:
    """Tells keys, and writes the records where nobody else does.

    Args:
        mirror: is kept up.
        keys: opens a feed of keys.
        records: opens one that writes the mirror.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self,
        mirror: HostMirror,
        keys: Callable[[], FeedConnection],
        records: Callable[[], FeedConnection],
        timer: Callable[[], Seconds],
    ) -> None:
        self._mirror, self._records, self._timer = mirror, records, timer
        self._next_look = timer() + BEAT
        self._feed = self._open_writing() if mirror.take_duty() else keys()
        mirror.prepare()

    def wait(self, seconds: Seconds) -> Heard:
        """Wait for something new, so long at most."""
        if self._timer() >= self._next_look:
            self._next_look = self._timer() + BEAT
            was_writer = self._mirror.is_writer
            if not self._take_duty(was_writer=was_writer):
                self._mirror.prepare()
            elif not was_writer:
                former, self._feed = self._feed, self._open_writing()
                former.close()
                return Heard(anything=True)  # what that one would have told next is told by none
        return self._feed.wait(seconds)

    def _take_duty(self, *, was_writer: bool) -> bool:
        """Take it, if it is free; tell whether it is ours.

        Where there is no place for the file keys are told all the same: the log has said why, when
        the feed began.
        """
        try:
            return self._mirror.take_duty()
        except StoreUnavailable:
            if was_writer:
                raise
            return False

    def close(self) -> None:
        """Close it, and leave the duty to another process. Harmless when repeated."""
        self._feed.close()
        self._mirror.give_up_duty()

    def _open_writing(self) -> FeedConnection:
        try:
            return self._records()
        except BaseException:
            self._mirror.give_up_duty()
            raise
