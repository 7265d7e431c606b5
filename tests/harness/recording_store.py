"""A store that writes down what it is asked, and sessions over it."""

from sessile import Cookie, Sessions
from sessile.errors import StoreUnavailable
from sessile.service.sessions import context_of
from sessile.stores.memory import MemoryStore
from sessile.testing.clock import FakeClock, SeededEntropy


class RecordingStore(MemoryStore):
    """A memory store that writes down what it is asked, and is down when told to."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.down = False

    async def read(self, key):
        self._write_down("read")
        return await super().read(key)

    def _ask(self, what, act, *args):
        self._write_down(what)
        return super()._ask(what, act, *args)

    def _write_down(self, what):
        self.asked.append(what)
        if self.down:
            raise StoreUnavailable("memory://host.of.secrets", "a test says so")


def fresh_sessions(**options):
    """Sessions over a recording store, for plain http."""
    given = {"clock": FakeClock(), "entropy": SeededEntropy()}
    if "carriers" not in options:
        given["cookie"] = Cookie(secure=False)
    return Sessions(**{"store": RecordingStore(), **given, **options})


def take_commands(sessions):
    """Return what the store was asked since the last time, and forget it."""
    store = context_of(sessions).store
    seen, store.asked = store.asked, []
    return seen
