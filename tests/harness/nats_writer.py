"""Somebody who writes on while something happens to servers of NATS."""

import threading
import time

from harness.nats_server import wait_for
from sessile.core.flow import run
from sessile.errors import StoreUnavailable
from sessile.stores.contract import Committed
from sessile.testing.sample import change, record


class NatsWriter:
    """Changes one session after the other, on a thread, until told to stop.

    Attributes:
        acknowledged: the last version of each that was.
        failures: what was not, in words.
        longest: seconds that one act took.
    """

    def __init__(self, store, number=10):
        self._store, self._stop = store, threading.Event()
        self._rows = [record(f"row {n}") for n in range(number)]
        for row in self._rows:
            run(store.create(row))
        self.acknowledged = {row.key: row.version for row in self._rows}
        self.failures, self.longest = [], 0.0
        self._thread = threading.Thread(target=self._write)

    def _write(self):
        count = 0
        while not self._stop.is_set():
            at, count = count % len(self._rows), count + 1
            step = change(self._rows[at], {"n": b"%d" % count})
            began = time.monotonic()
            try:
                answer = run(self._store.commit(step))
                assert isinstance(answer, Committed), answer
            except StoreUnavailable as error:
                self.failures.append(str(error))
                return
            self.longest = max(self.longest, time.monotonic() - began)
            self._rows[at] = step.record
            self.acknowledged[step.record.key] = step.record.version

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._stop.set()
        self._thread.join()

    def go_on(self):
        """Wait until more was acknowledged, or something failed."""
        seen = max(self.acknowledged.values())
        wait_for(
            lambda: self.failures or max(self.acknowledged.values()) > seen + 3,
            lambda: "there is no new leader",
        )

    def check(self):
        """Make sure that all that was acknowledged is there."""
        assert self.failures == [], self.failures
        found = {row.key: run(self._store.read(row.key)).version for row in self._rows}
        assert found == self.acknowledged, (found, self.acknowledged)
