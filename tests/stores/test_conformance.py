"""Every store keeps every promise, in both colours. A new store is one line in ``FAR``."""

import pytest

from harness.backends import (
    AT_HAND,
    BACKUP,
    FAR,
    HOST_MIRROR,
    NEAR,
    POSTGRES_FEED,
    REPLICATED,
    VALKEY,
)
from sessile.testing.conformance import SessionContract, StoreContract
from sessile.testing.promises.everybody import Everybody
from sessile.testing.promises.feeds import Feeds
from sessile.testing.promises.lifecycle import Lifecycle
from sessile.testing.promises.neighbours import Neighbours
from sessile.testing.promises.secrecy import Secrecy
from sessile.testing.promises.sharing import Sharing
from sessile.testing.promises.watching_feeds import WatchingFeeds


class TestStores(SessionContract, backends=AT_HAND):
    """One line a store."""


class TestFarStores(SessionContract, backends=FAR):
    """What the service promises over one that takes several trips is asked in one colour."""

    service_colours = ("async",)


class TestNear(SessionContract, backends=[NEAR]):
    """Copies that a process keeps break no promise: each browser says what it has seen."""


class TestReplicated(SessionContract, backends=[REPLICATED]):
    """With a mirror it is the same store; ``test_mirror`` asks what a service makes of it."""

    service_colours = ("async",)


class TestHostMirror(
    StoreContract,
    backends=[HOST_MIRROR],
    groups=[Everybody, Feeds, Lifecycle, Neighbours, Secrecy, Sharing],
):
    """With one for all workers too: what its file may change, in one colour, for it has none."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path_factory, monkeypatch):
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("run")))

    def colours_of(self, promise):
        return ("async",)


class TestBackup(SessionContract, backends=[BACKUP]):
    """In shards of three servers it is the same store; a login there takes several acts."""

    service_colours = ("async",)


class TestValkey(StoreContract, backends=[VALKEY]):
    """Valkey keeps what Redis does; what the service promises over either is asked of Redis.

    So it is in both colours. What differs is the server, which knows none.
    """

    def colours_of(self, promise):
        return ("async",)


class TestPostgresFeed(SessionContract, backends=[POSTGRES_FEED], groups=[Feeds, WatchingFeeds]):
    """With a feed it is the same store; what is asked of it is that the feed tells."""
