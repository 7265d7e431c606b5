"""The WebSocket beside a page closes when its session ends, by whom and wherever that is."""

from contextlib import ExitStack

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from demo.process import PATIENCE, DemoProcess, is_alive, wait_for

ENDED = 4401


def close_code(socket):
    """Wait until the shop closes a WebSocket; return its close code."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(PATIENCE)
    return closed.value.rcvd and closed.value.rcvd.code


@pytest.fixture
def alice(visitor):
    """Somebody who is logged in, here and nowhere else."""
    visitor.log_in()
    visitor.post("/devices/end-others")
    return visitor


def test_socket_is_closed_when_its_session_is_ended_elsewhere(demo, alice):
    """Through whichever server; that of the one who ended it stays open."""
    with demo.visitor() as other, ExitStack() as tabs:
        other.log_in()
        sockets = [tabs.enter_context(other.listen()) for _ in range(4)]
        with alice.listen() as own:
            alice.post("/devices/end-others")
            codes = [close_code(socket) for socket in sockets]
            with pytest.raises(TimeoutError):
                own.recv(0)

    assert codes == [ENDED] * 4


def test_socket_is_closed_by_a_logout_in_another_tab(demo, alice):
    """One browser, one session, two tabs: the other one is told."""
    with alice.listen() as socket:
        alice.post("/logout")

        assert close_code(socket) == ENDED


def test_socket_outlives_a_stop_of_the_store(demo, alice):
    """Nobody can say that the session has ended, so it is open; once it has, it is closed."""
    with alice.listen() as socket:
        alice.post("/store/stop")
        with pytest.raises(TimeoutError):
            socket.recv(1.5)  # longer than a heartbeat may be late
        alice.post("/store/start")
        alice.post("/logout")

        assert close_code(socket) == ENDED


def test_socket_that_comes_too_late_is_told_so(visitor):
    """A page that reconnects learns of an end that it missed; a locked session's, of the lock."""
    with visitor.listen() as nobody:
        codes = [close_code(nobody)]
    visitor.log_in()
    visitor.headers["user-agent"] = "curl/8.0"
    with visitor.listen() as thief:
        codes.append(close_code(thief))

    assert codes == [ENDED, 1008]


def test_socket_is_not_for_other_sites(visitor):
    """A page of another site opens none with its visitor's cookies."""
    visitor.log_in()

    with pytest.raises(InvalidStatus) as refused:
        visitor.listen(origin="http://evil.example")

    assert refused.value.response.status_code == 403


def test_death_of_its_server_is_no_end_of_the_session(demo, visitor):
    """The socket breaks without that code, and the next one finds another server."""
    visitor.log_in()
    visitor.post("/route", data={"affinity": "cookie"})
    mine = visitor.look().server

    with visitor.listen() as socket:
        visitor.post(f"/servers/{mine}/kill")
        code = close_code(socket)
    with visitor.listen() as socket, pytest.raises(TimeoutError):
        socket.recv(0)

    assert code != ENDED


def test_open_sockets_keep_no_demo_alive():
    """Ctrl-C ends it with a page open."""
    with DemoProcess(servers=1) as demo, demo.visitor() as visitor:
        visitor.log_in()
        pids = [member["pid"] for member in demo.members().values()]
        with visitor.listen():
            code = demo.end()

    assert code == 0
    assert "Traceback" not in demo.output
    wait_for(lambda: not any(map(is_alive, pids)))
