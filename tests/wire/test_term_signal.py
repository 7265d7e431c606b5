"""SIGTERM that is held back: once, for all who drain, and never so that a server does not end."""

import signal
import threading

import pytest

from sessile.wire import term_signal
from sessile.wire.term_signal import TermSignal

LONG = 30.0


@pytest.fixture
def clock(monkeypatch):
    """The time by which a second signal is another one."""
    times = [100.0]
    monkeypatch.setattr(term_signal.time, "monotonic", lambda: times[0])
    return times


@pytest.fixture
def server(monkeypatch):
    """What a server's own handler, and the process itself, have been told."""
    told = []
    before = signal.signal(signal.SIGTERM, lambda *_: told.append("server"))
    monkeypatch.setattr(term_signal.os, "kill", lambda *_: told.append("process"))
    yield told
    signal.signal(signal.SIGTERM, before)


def begin(*delays):
    """Hold the signal for each of them; return the handler that is there then."""
    held = [TermSignal(delay) for delay in delays]
    for each in held:
        each.hold()
    return signal.getsignal(signal.SIGTERM)


def join():
    """Return once nobody drains any more."""
    for thread in threading.enumerate():
        if thread.name == "sessile-drain":
            thread.join(LONG)


def test_signal_goes_on_when_the_drain_is_over(clock, server):
    """Until then the server hears nothing."""
    begun, over = threading.Event(), threading.Event()
    handle = begin(lambda: (begun.set(), over.wait(LONG)))
    handle(signal.SIGTERM, None)
    assert begun.wait(LONG)
    assert server == []
    over.set()
    join()
    handle(signal.SIGTERM, None)  # as the kernel does, for that one

    assert server == ["process", "server"]


def test_signal_that_comes_at_once_again_is_the_same(clock, server):
    """As of a parent that hands on what each of its processes has got as well."""
    over = threading.Event()
    handle = begin(lambda: over.wait(LONG))
    for _ in range(3):
        handle(signal.SIGTERM, None)
        clock[0] += 0.5
    assert server == []
    over.set()
    join()


def test_later_signal_goes_on_at_once_and_is_the_last(clock, server):
    """Another one at the end of the drain would be one too many for a server that ends."""
    over = threading.Event()
    handle = begin(lambda: over.wait(LONG))
    handle(signal.SIGTERM, None)
    clock[0] += 5.0
    handle(signal.SIGTERM, None)
    handle(signal.SIGTERM, None)
    assert server == ["server", "server"]
    over.set()
    join()

    assert server == ["server", "server"]


def test_two_applications_drain_at_once(clock, server):
    """In whatever order they hold it, and hold it again where the server has put its own there."""
    drained = []
    ours = [TermSignal(lambda n=n: drained.append(n)) for n in range(3)]
    for each in ours:
        each.hold()
    signal.signal(signal.SIGTERM, lambda *_: server.append("newer"))
    for each in reversed(ours):
        each.hold()
    handle = signal.getsignal(signal.SIGTERM)
    handle(signal.SIGTERM, None)
    join()
    handle(signal.SIGTERM, None)

    assert sorted(drained) == [0, 1, 2]
    assert server == ["process", "newer"]


def test_signal_goes_on_at_once_where_there_is_no_thread(clock, server, monkeypatch):
    """A server that cannot drain ends, as it would without any of this."""

    def fail(_):
        raise RuntimeError("can't start new thread")

    handle = begin(lambda: None)
    monkeypatch.setattr(threading.Thread, "start", fail)
    handle(signal.SIGTERM, None)

    assert server == ["server"]


def test_process_without_a_handler_ends(clock, server):
    """By the signal itself."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    handle = begin(lambda: None)
    handle(signal.SIGTERM, None)
    join()
    handle(signal.SIGTERM, None)

    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert server == ["process", "process"]
