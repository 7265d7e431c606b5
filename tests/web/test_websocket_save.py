"""WebSockets after the handshake: saved by ``save``, and never lost in silence."""

import asyncio

import pytest

from harness.recording_store import fresh_sessions, take_commands
from sessile.core.flow import run
from sessile.errors import ConfigError, StoreUnavailable, TooLate
from sessile.service.events import Dropped
from sessile.service.sessions import context_of
from sessile.testing.clock import FakeClock
from web.asgi_chat import accept, begin, held, stored, talk


def test_save_stores_and_goes_on():
    """Each save stores what came since the last one; a list that is held stays the session's."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        basket = session["cart"]
        for item in ("hat", "scarf"):
            basket.append(item)
            await session.save()
            assert session["cart"] is basket

    talk(act, sessions, cookie)

    assert take_commands(sessions) == ["read", "commit", "commit"]
    assert held(sessions, cookie) == {"cart": ["socks", "hat", "scarf"]}


def test_save_without_a_change_costs_nothing():
    """A save that has nothing to store asks no store."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        await session.save()

    talk(act, sessions, cookie)

    assert take_commands(sessions) == ["read"]


def test_save_merges_with_requests():
    """What requests did while the socket was open is there after its save, and nothing is lost."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        basket = session["cart"]
        await asyncio.to_thread(stored, sessions, lambda s: s["cart"].append("hat"), cookie)
        basket.append("scarf")
        await session.save()
        assert session["cart"] == ["socks", "hat", "scarf"]

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {"cart": ["socks", "hat", "scarf"]}


def slow(sessions):
    """Let every commit wait for an event; return the two events around it."""
    store = context_of(sessions).store
    commit, begun, go_on = store.commit, asyncio.Event(), asyncio.Event()

    async def wait_and_commit(change):
        begun.set()
        await go_on.wait()
        return await commit(change)

    store.commit = wait_and_commit
    return begun, go_on


def test_change_during_a_save_belongs_to_the_next_one():
    """What a second task changes while a save is under way is stored by the next save."""
    sessions = fresh_sessions()
    cookie = stored(sessions, lambda session: session.update(cart=["socks"], old=1, n=1))

    async def act(session, send):
        await accept(send)
        begun, go_on = slow(sessions)
        session["cart"].append("hat")
        session.increment("n")
        saving = asyncio.create_task(session.save())
        await begun.wait()
        session["cart"].append("scarf")
        session["new"] = 2
        del session["old"]
        session.increment("n", 10)
        assert session.modified
        go_on.set()
        await saving
        assert dict(session) == {"cart": ["socks", "hat", "scarf"], "n": 12, "new": 2}
        assert held_now() == {"cart": ["socks", "hat"], "old": 1, "n": 2}
        await session.save()

    def held_now():
        context = context_of(sessions)
        (key,) = context.store._rows
        data = run(context.store.read(key)).data
        return {name: context.codec.decode(blob) for name, blob in data.items()}

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {"cart": ["socks", "hat", "scarf"], "n": 12, "new": 2}


def test_saves_of_two_tasks_take_turns():
    """Two tasks that save at once store each change once."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        session["cart"].append("hat")
        commit, answered = context_of(sessions).store.commit, []

        async def answer_late(change):
            answer = await commit(change)
            answered.append(answer)
            for _ in range(20 if len(answered) == 1 else 0):  # a second save could be done by then
                await asyncio.sleep(0)
            return answer

        context_of(sessions).store.commit = answer_late
        await asyncio.gather(session.save(), session.save())

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {"cart": ["socks", "hat"]}


def test_failed_save_forgets_nothing():
    """After an outage the next save stores what this one could not."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        session["cart"].append("hat")
        context_of(sessions).store.down = True
        with pytest.raises(StoreUnavailable):
            await session.save()
        context_of(sessions).store.down = False
        await session.save()

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {"cart": ["socks", "hat"]}


def test_save_cannot_bring_an_ended_session_back():
    """A session that was ended elsewhere stays ended; the change is dropped with an event."""
    told = []
    sessions = fresh_sessions(hooks=[told.append])
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        await sessions.end(session.id)
        session["cart"].append("hat")
        await session.save()

    talk(act, sessions, cookie)

    assert [event.keys for event in told if isinstance(event, Dropped)] == [("cart",)]
    assert held(sessions, cookie) == {}


def test_closing_socket_writes_no_old_copy_back():
    """A socket that looked, and closes long after its session was logged out, writes nothing."""
    clock = FakeClock()
    sessions = fresh_sessions(clock=clock)
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        assert dict(session) == {"cart": ["socks"]}
        await asyncio.to_thread(stored, sessions, lambda s: s.logout(), cookie)
        clock.advance(600)
        await send({"type": "websocket.close"})

    talk(act, sessions, cookie)

    assert {*take_commands(sessions)} <= {"read"}  # by whoever watches the socket's session
    assert held(sessions, cookie) == {}


def test_saved_logout_ends_the_session():
    """Logout works from a WebSocket: the session ends on the server at the save."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        session.logout()
        await session.save()

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {}


@pytest.mark.parametrize(
    "wish",
    [
        lambda session: session.login("alice"),
        lambda session: session.rotate(),
        lambda session: (session.logout(), session.update(a=1)),
    ],
)
def test_save_cannot_hand_out_a_ticket(wish):
    """What takes a cookie is refused after the handshake, with what to do instead."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        wish(session)
        await session.save()

    with pytest.raises(ConfigError, match="before accept, or in a request"):
        talk(act, sessions, cookie)
    assert take_commands(sessions) == ["read"]


def test_stranger_cannot_begin_a_session_after_the_handshake():
    """A first value, too, would take a cookie."""

    async def act(session, send):
        await accept(send)
        session.increment("n")
        await session.save()

    with pytest.raises(ConfigError, match="before accept, or in a request"):
        talk(act, fresh_sessions())


@pytest.mark.parametrize("wish", [lambda s: s["cart"].append("hat"), lambda s: s.logout()])
def test_unsaved_change_is_not_lost_in_silence(wish):
    """A WebSocket that ends with unsaved changes raises, and an event names their keys."""
    told = []
    sessions = fresh_sessions(hooks=[told.append])
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        wish(session)

    with pytest.raises(TooLate, match=r"await session\.save\(\)"):
        talk(act, sessions, cookie)
    assert [event.keys for event in told if isinstance(event, Dropped)] == [("cart",)]


def test_unsaved_logout_is_not_lost_in_silence():
    """A logout that was never saved ended nothing, even where there were no values; it raises."""
    sessions = fresh_sessions()
    cookie = stored(sessions, lambda session: session.login("alice"))

    async def act(session, send):
        await accept(send)
        session.logout()

    with pytest.raises(TooLate, match=r"await session\.save\(\)"):
        talk(act, sessions, cookie)


def test_error_of_the_application_goes_on():
    """A WebSocket that fails shows its own error; the event tells of what was unsaved."""
    told = []
    sessions = fresh_sessions(hooks=[told.append])
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        session["cart"].append("hat")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        talk(act, sessions, cookie)
    assert [event.keys for event in told if isinstance(event, Dropped)] == [("cart",)]


def test_outage_after_the_handshake_is_raised():
    """A WebSocket that is open has no status left to answer with."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        session["cart"].append("hat")
        context_of(sessions).store.down = True
        await session.save()

    with pytest.raises(StoreUnavailable):
        talk(act, sessions, cookie, extensions=["websocket.http.response"])


def test_session_of_a_closed_socket_refuses_changes():
    """Whoever still holds the session after the end is told so."""
    kept = []

    async def act(session, send):
        await accept(send)
        kept.append(session)

    talk(act, fresh_sessions())

    with pytest.raises(TooLate, match="WebSocket has ended"):
        kept[0]["late"] = 1


def test_list_that_is_held_stays_attached_when_a_rival_extends_it():
    """After a merge the list in the application's hands is the merged one, and goes on counting."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        basket = session["cart"]
        for item in ("scarf", "glove"):
            await asyncio.to_thread(stored, sessions, lambda s: s["cart"].append("hat"), cookie)
            basket.append(item)
            assert await session.save()
        assert basket is session["cart"]

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {"cart": ["socks", "hat", "scarf", "hat", "glove"]}


def test_logout_during_a_save_is_carried_out_by_the_next():
    """A logout that falls into a save is not taken for done with it."""
    sessions = fresh_sessions()
    cookie = stored(sessions, begin)

    async def act(session, send):
        await accept(send)
        begun, go_on = slow(sessions)
        session["seen"] = 1
        saving = asyncio.create_task(session.save())
        await begun.wait()
        session.logout()
        go_on.set()
        await saving
        await session.save()

    talk(act, sessions, cookie)

    assert held(sessions, cookie) == {}


def test_save_tells_that_the_session_has_ended():
    """A socket learns from its save that its user was logged out elsewhere."""
    sessions = fresh_sessions()
    cookie = stored(sessions, lambda s: s.login("alice"))
    told = []

    async def act(session, send):
        await accept(send)
        await sessions.end_all("alice")
        session["seen"] = 1
        told.append((await session.save(), session.user, dict(session)))

    talk(act, sessions, cookie)

    assert told == [(False, None, {})]
