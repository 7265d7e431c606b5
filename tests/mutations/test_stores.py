"""The suite bites: every promise notices the stores that were broken against it."""

import inspect
from contextlib import ExitStack
from importlib import import_module
from itertools import product
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from harness.reference_store import ExpiringStore, FileStore, ReferenceStore, place_of
from mutations.stores.registry import BROKEN, WATCH
from sessile.testing.conformance import StoreContract
from sessile.testing.drive import Async, Blocking
from sessile.testing.effort import effort
from sessile.testing.model import StoreModel
from sessile.testing.place import Backend
from sessile.testing.promises import failure, feeds, watching_feeds

GROUPS = (
    "rows", "commits", "owners", "limits", "bounds", "replacing", "everybody", "pages",
    "handles", "outages", "feeds", "sizes",
)  # fmt: skip
for group in GROUPS:
    import_module(f"mutations.stores.{group}")

WHOLE = ("Stateful",)
"""Groups of whole stories, which notice nearly everything, so that it says little."""

CAUGHT_BY_THE_MODEL = [
    "AllowsOneMore",
    "ClaimsTheTaken",
    "CommitsTheUnknown",
    "CountsTheExpired",
    "ForgetsVersions",
    "KeepsTheFirstDeadline",
    "KeepsWhatACommitRemoved",
    "LeavesNoTombstone",
    "LivesOneInstantTooLong",
    "LosesTheLastOfAPage",
    "NamesTheExcessAndLeavesIt",
    "ReplacesTheChanged",
    "ReplacesTheGone",
    "ReturnsNothingDeleted",
    "RevivesTheDeleted",
    "SortsTheIndexByKey",
    "UnindexesForItsOwnerAlone",
]


class EveryPromise(StoreContract, backends=[]):
    """Looked at, not collected."""


def promises():
    return {
        name: promise
        for name, promise in EveryPromise.promises.items()
        if promise.__qualname__.split(".")[0] not in WHOLE
    }


def cases(promise):
    """Yield the parameters that a promise is asked with."""
    marks = [mark.args for mark in getattr(promise, "pytestmark", ()) if mark.name == "parametrize"]
    for values in product(*(values for _, values in marks)):
        yield dict(zip((name for name, _ in marks), values, strict=True))


def ask(promise, backend, colour, given):
    """Ask one promise as pytest would."""
    wanted = set(inspect.signature(promise).parameters)
    with ExitStack() as stack:
        place = backend.place(Path())
        drive = colour()
        stack.callback(drive.close)
        found = {"place": place, "drive": drive, "backend": backend, **given}
        opens = {"store": place.open, "other": place.open, "neighbour": place.neighbour}
        for name in opens.keys() & wanted:
            found[name] = store = opens[name]()
            stack.callback(lambda store=store: drive(store.close()))
        promise(None, **{name: found[name] for name in wanted - {"self"}})


def kept(promise, backend, colour):
    """Tell whether a backend keeps a promise in one colour."""
    try:
        for given in cases(promise):
            ask(promise, backend, colour, given)
    except (Exception, pytest.fail.Exception):  # noqa: BLE001  (a broken store may raise anything)
        return False
    return True


def broken_by(store, colour):
    backend = Backend(store.__name__, store, place_of(store))
    return {
        name
        for name, promise in promises().items()
        if not backend.lacks(promise) and not kept(promise, backend, colour)
    }


@pytest.fixture(autouse=True)
def watch(monkeypatch):
    monkeypatch.setattr(failure, "monotonic", WATCH)
    monkeypatch.setattr(failure, "sleep", WATCH.advance)
    for module in (feeds, watching_feeds):  # these feeds are calls: who has not told will not
        monkeypatch.setattr(module, "PATIENCE", 2.0)


@pytest.mark.parametrize("colour", [Blocking, Async])
@pytest.mark.parametrize("store", [ReferenceStore, FileStore, ExpiringStore])
def test_sound_store_breaks_nothing(store, colour):
    """The stores that the others are broken copies of keep every promise, in both colours."""
    assert broken_by(store, colour) == set()


@pytest.mark.parametrize("store", BROKEN, ids=lambda store: store.__name__)
def test_broken_store_is_caught(store):
    """A broken store breaks the promises that it was broken against, and no others."""
    assert broken_by(store, Async) == BROKEN[store]


def test_every_promise_catches_somebody():
    """A promise that no broken store breaks would be no test."""
    assert set(promises()) == set().union(*BROKEN.values())


@pytest.mark.parametrize("name", CAUGHT_BY_THE_MODEL)
def test_model_catches_broken_stores(name):
    """The dict notices by itself what several of the promises were written for."""
    (store,) = [store for store in BROKEN if store.__name__ == name]
    until_found = settings(
        effort(1000, 1000, steps=30), phases=[Phase.generate], report_multiple_bugs=False
    )
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(
            lambda: StoreModel(place_of(store)(Path()), Blocking()), settings=until_found
        )
