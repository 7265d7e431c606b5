"""The watchers of an application: on each of its loops, over its store's feed, until it closes."""

import asyncio
import os
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from harness.recording_store import RecordingStore, fresh_sessions, take_commands
from sessile import Cookie, Sessions
from sessile.core.flow import run
from sessile.core.life import open_life
from sessile.core.request import PlainRequest
from sessile.errors import StoreUnavailable
from sessile.service.open import open_transaction
from sessile.service.sessions import context_of
from sessile.service.watch import watch
from sessile.stores.contract import Capability
from sessile.stores.url_options import WATCH
from sessile.testing.drive import Blocking
from sessile.testing.world import FIREFOX, HOME, SECRET, World
from sessile.wire import system

PATIENCE = 60.0


def life_of(sessions, user="alice"):
    """Log somebody in, and return the life of that session."""
    world = World(context_of(sessions).store, Blocking(), clock=context_of(sessions).clock)
    world.sessions = sessions
    world.ask(lambda session: session.login(user))
    said = PlainRequest({"cookie": world.cookie, "user-agent": FIREFOX}, peer=HOME)
    transaction = run(open_transaction(context_of(sessions), said))
    return open_life(sessions.policy, transaction.state)


async def ended(sessions, life, act):
    """Watch a session, act, and return once it has ended."""
    over = asyncio.Event()
    watched = watch(context_of(sessions), life, over.set)
    await act()
    async with asyncio.timeout(PATIENCE):
        await over.wait()
    assert watched.watched is None


def eventually(is_so):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_two_loops_are_told_of_one_end():
    """A process may have several, each in a thread."""
    sessions = fresh_sessions()
    life, ready, told = life_of(sessions), threading.Barrier(3, timeout=PATIENCE), []

    async def scene():
        await ended(sessions, life, lambda: asyncio.to_thread(ready.wait))
        told.append(threading.get_ident())

    threads = [threading.Thread(target=asyncio.run, args=(scene(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    ready.wait()
    sessions.sync.end_all("alice")
    for thread in threads:
        thread.join(PATIENCE)

    assert len(set(told)) == 2


def test_feed_is_followed_from_the_first_watch_on():
    """An application without sockets has no thread for it; the second watch begins no other."""
    sessions = fresh_sessions()
    context, life = context_of(sessions), life_of(sessions)

    async def scene():
        assert context.follower._thread is None
        one = watch(context, life, bool)
        thread = context.follower._thread
        assert thread.is_alive()
        two = watch(context, life, bool)
        assert context.follower._thread is thread
        one.stop()
        two.stop()

    asyncio.run(scene())


def test_feed_that_has_to_be_asked_hears_of_what_is_watched():
    """The keys of every loop, as long as they are watched."""
    sessions = fresh_sessions()
    context, lives = context_of(sessions), [life_of(sessions, user) for user in ("alice", "bob")]
    wanted = context.follower.list_wanted

    async def scene():
        watches = [watch(context, life, bool) for life in lives]
        assert set(wanted()) == {life.session.key for life in lives}
        for watched in watches:
            watched.stop()
        assert wanted() == []

    asyncio.run(scene())


def test_machine_without_threads_is_no_failure(monkeypatch):
    """Then the store is asked now and then, as where there is no feed."""
    sessions = Sessions("memory://?watch=0.05", cookie=Cookie(secure=False))
    life = life_of(sessions)

    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading, "Thread", Refused)
    asyncio.run(ended(sessions, life, lambda: sessions.end_all("alice")))


@pytest.mark.parametrize(("url", "every"), [("memory://", WATCH), ("memory://?watch=30", 30.0)])
def test_url_says_how_often_the_store_is_asked(url, every):
    """Of any store; a store of one's own is asked as usual."""
    assert context_of(Sessions(url)).watches_every == every
    assert context_of(fresh_sessions()).watches_every == WATCH


def test_watchers_go_by_what_the_url_says():
    """Each loop's."""
    sessions = Sessions("memory://?watch=30", cookie=Cookie(secure=False))
    context, life = context_of(sessions), life_of(sessions)

    async def scene():
        watched = watch(context, life, bool)
        assert context.watchers.find()._every == 30.0
        watched.stop()

    asyncio.run(scene())


class SilentStore(RecordingStore):
    """A store that tells nobody what changed."""

    capabilities = RecordingStore.capabilities & ~Capability.FEED


async def until(is_so):
    """Let the loop go on until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


def test_store_that_tells_nobody_is_asked_now_and_then():
    """It has no feed that could be fresh."""
    sessions = fresh_sessions(store=SilentStore())
    context_of(sessions).watches_every = 0.05
    life = life_of(sessions)
    take_commands(sessions)

    async def end():
        await until(lambda: context_of(sessions).store.asked)
        await sessions.end_all("alice")

    asyncio.run(ended(sessions, life, end))


def test_session_that_ended_before_it_is_watched_is_told():
    """The feed, which is followed already, has told of it when nobody watched it yet."""
    sessions = Sessions("memory://?watch=3600", cookie=Cookie(secure=False))
    context, life = context_of(sessions), life_of(sessions)
    context.follow()
    eventually(context.follower.is_fresh)
    sessions.sync.end_all("alice")
    now = system.timer()
    eventually(lambda: context.follower.epoch.as_of > now)

    asyncio.run(ended(sessions, life, lambda: asyncio.sleep(0)))


def test_store_that_cannot_be_asked_is_told_to_the_log():
    """What is open stays open, and whoever operates it knows why."""
    sessions, errors = fresh_sessions(), []
    context, life = context_of(sessions), life_of(sessions)
    context.log = SimpleNamespace(tell_unwatched=errors.append)

    async def scene():
        watched = watch(context, life, lambda: pytest.fail("told"))
        context.store.down = True
        await until(lambda: errors)
        watched.stop()

    asyncio.run(scene())

    assert isinstance(errors[0], StoreUnavailable)


def test_sessions_that_begin_again_watch_again():
    """A closed store is followed no longer, and the one that is opened instead is."""
    sessions = Sessions("memory://?watch=3600", secrets=[SECRET], cookie=Cookie(secure=False))
    context = context_of(sessions)
    for _ in range(2):
        life, follower = life_of(sessions), context.follower
        asyncio.run(ended(sessions, life, lambda: sessions.end_all("alice")))
        thread = follower._thread
        sessions.sync.close()
        eventually(lambda thread=thread: not thread.is_alive())
        assert context.watchers.all() == []
        context.reopen()
        assert context.follower is not follower


def test_close_from_another_thread_ends_the_watch():
    """No task is left on the loop, and nobody is told of an end."""
    sessions = fresh_sessions()
    context, life = context_of(sessions), life_of(sessions)

    async def scene():
        watch(context, life, lambda: pytest.fail("told"))
        await asyncio.sleep(0)
        await asyncio.to_thread(sessions.sync.close)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=PATIENCE)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StoreUnavailable("memory://", "no answer within 1 s"), "no answer within 1 s"),
        (ZeroDivisionError("sid=secret"), "ZeroDivisionError"),
    ],
)
def test_log_says_once_that_the_store_cannot_be_asked(caplog, error, why):
    """Not with every question; and nothing of an error that nobody knows."""
    log = context_of(fresh_sessions()).log
    for _ in range(10):
        log.tell_unwatched(error)

    (line,) = [record.getMessage() for record in caplog.records if record.name == "sessile"]
    assert line == (
        "memory:// cannot say whether the sessions of open WebSockets and streams live: "
        f"{why}; they stay open, and it is asked again"
    )


def test_clock_that_a_test_puts_in_is_gone_by():
    """``session_tester`` does so, also where a socket is open already."""
    sessions = fresh_sessions()
    context, life = context_of(sessions), life_of(sessions)
    clock = context.clock

    async def advance():
        await asyncio.sleep(0.01)
        context.clock = lambda: clock() + sessions.policy.idle

    asyncio.run(ended(sessions, life, advance))


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_process_watches_by_itself(tmp_path):
    """It inherits no watch, no thread and no loop, and its parent goes on with its own."""
    url = f"sqlite:///{tmp_path}/store.db?watch=0.05"
    sessions = Sessions(url, secrets=[SECRET], cookie=Cookie(secure=False))
    context = context_of(sessions)
    alice, bob = (life_of(sessions, user) for user in ("alice", "bob"))

    async def child():
        assert context.watchers.all() == []
        await ended(sessions, bob, lambda: sessions.end_all("bob"))

    async def parent():
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                asyncio.run(child())
                code = 0
            finally:
                os._exit(code)
        _, status = await asyncio.to_thread(os.waitpid, pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        await sessions.end_all("alice")

    asyncio.run(ended(sessions, alice, parent))
    sessions.sync.close()
