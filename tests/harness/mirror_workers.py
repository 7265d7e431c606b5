"""Workers of one host: processes with a store each over one URL, which do what they are asked."""

import contextlib
import multiprocessing
import os
import signal
import timeit

from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.open import open_store
from sessile.testing.sample import key, record
from sessile.wire import system

PATIENCE = 60.0
LOOP = 2000


class Worker:
    """A process, which ends with this one.

    Args:
        url: of its store.
    """

    def __init__(self, url):
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(url, theirs), daemon=True)
        self.process.start()
        theirs.close()

    def __getattr__(self, name):
        """Return what has the worker do something: see ``Acts``."""
        if name.startswith("_"):
            raise AttributeError(name)

        def ask(*args):
            self._pipe.send((name, args))
            assert self._pipe.poll(PATIENCE), f"{name}: no answer"
            return self._pipe.recv()

        return ask

    def kill(self):
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.join()


class Acts:
    """What a worker does.

    Args:
        url: of its store.
    """

    def __init__(self, url):
        self.store = open_store(url)
        with contextlib.suppress(StoreUnavailable):
            run(self.store.read(key("nobody")))  # which begins its feed

    def create(self, name, size=10):
        """Make a session."""
        run(self.store.create(record(name, data={"v": bytes(size)})))

    def delete(self, name):
        """End a session."""
        run(self.store.delete(key(name)))

    def end_everybody(self):
        """End all."""
        run(self.store.end_everybody())

    def peek(self, name):
        """Return the version of a session that is read without a trip; None where none is."""
        found = self.store.peek(key(name), 0)
        return found and found.version

    def peek_last(self, name, within):
        """Return the version of a session as it was when the store was last heard of."""
        found = self.store.peek_last(key(name), 0, within)
        return found and found.version

    def count(self):
        """Return how many sessions it has."""
        return self.store.copies

    def age(self):
        """Return as of how many seconds ago its mirror is."""
        return system.timer() - self.store.mirror.as_of

    def is_fresh(self):
        """Tell whether its feed's heartbeat is not late."""
        return self.store.follower.is_fresh()

    def is_writer(self):
        """Tell whether it writes what all have in common."""
        return self.store.mirror.is_writer

    def time_read(self, names):
        """Return the microseconds of a read without a trip, the best of five; 0 reads nothing."""
        keys = [key(name) for name in names]
        peek, at = self.store.peek, iter(keys * (5 * LOOP // len(keys) + 1))
        return min(timeit.repeat(lambda: peek(next(at), 0), number=LOOP)) / LOOP * 1e6

    def fork(self):
        """Fork a child that does nothing; return its number."""
        child = os.fork()
        if not child:
            signal.pause()
        return child

    def time_whole_read(self, name):
        """Return the microseconds of what a request does to read: ``peek``, else ``read``."""
        wanted, store = key(name), self.store
        peek = getattr(store, "peek", None)

        def read():
            return (peek and peek(wanted, 0)) or run(store.read(wanted))

        return min(timeit.repeat(read, number=LOOP, repeat=9)) / LOOP * 1e6

    def close(self):
        """Close the store."""
        run(self.store.close())


def _serve(url, pipe):
    acts = Acts(url)
    with contextlib.suppress(EOFError):
        while True:
            name, args = pipe.recv()
            pipe.send(getattr(acts, name)(*args))
