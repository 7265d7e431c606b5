"""A store that writes down what it is asked, and sessions over it."""

from sessile import Cookie, Sessions
from sessile.errors import StoreUnavailable
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock, SeededEntropy


class RecordingStore(MemoryStore):
    """A memory store that writes down what it is asked, and is down when told to."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.down = False
        self._here = _Recorder(self, self._here)


class _Recorder:
    """In the way of a store's Asks."""

    def __init__(self, store, here):
        self.store, self.here = store, here

    def ask(self, what, call):
        self.store.asked.append(what.removeprefix("memory "))
        if self.store.down:
            raise StoreUnavailable("memory://host.of.secrets", "a test says so")
        return self.here.ask(what, call)


def fresh_sessions(**options):
    """Sessions over a recording store, for plain http."""
    given = {"clock": FakeClock(), "entropy": SeededEntropy()}
    if "carriers" not in options:
        given["cookie"] = Cookie(secure=False)
    return Sessions(**{"store": RecordingStore(), **given, **options})


def take_commands(sessions):
    """Return what the store was asked since the last time, and forget it."""
    store = sessions.parts.store
    seen, store.asked = store.asked, []
    return seen
