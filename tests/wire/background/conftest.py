"""BackgroundTasks that are closed after a test, on loops of either make; nothing is left behind."""

import asyncio
import gc

import pytest

from sessile.testing.clock import FakeClock
from sessile.wire.background.tasks import BackgroundTasks
from wire.background.awaitables import LOOPS


@pytest.fixture(autouse=True)
def quiet(caplog):
    """No test leaves a coroutine that was never awaited or a task destroyed half done."""
    yield
    gc.collect()
    assert [r.getMessage() for r in caplog.records if r.name == "asyncio"] == []


@pytest.fixture
def drops():
    """How many tasks were reported dropped, report by report."""
    return []


@pytest.fixture
def tasks(drops):
    """Room for three tasks."""
    made = BackgroundTasks(limit=3, report_drops=drops.append, clock=FakeClock())
    yield made
    made._close_timeout = 0
    made.close()


@pytest.fixture(params=LOOPS)
def runner(request):
    """A runner of either make of loop."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield runner


@pytest.fixture(params=LOOPS)
def background(request, monkeypatch):
    """Let the background loop be of either make."""
    monkeypatch.setattr(asyncio, "new_event_loop", LOOPS[request.param])
