"""Servers are killed and restarted, clients are tied to them, and sessions do not care."""

import os

import httpx
import pytest

from demo.process import everywhere, is_alive, wait_for


def test_a_session_survives_the_death_of_its_server(demo, visitor):
    """After a kill the process is gone, the others serve, and nothing of the session is lost."""
    visitor.log_in()
    visitor.add("lamp")
    before = visitor.look()
    pid = demo.members()["B"]["pid"]

    visitor.post("/servers/B/kill")

    looks = everywhere(visitor)
    assert set(looks) == {"A", "C"}
    assert {look.id for look in looks.values()} == {before.id}
    assert visitor.look().cart == {"Coral lamp": 1}
    assert demo.members()["B"]["pid"] is None
    assert demo.members()["B"]["copies"] is None
    wait_for(lambda: not is_alive(pid))


def test_a_restarted_server_knows_the_session(demo, visitor):
    """A new process in the place of the killed one serves the session as if nothing had been."""
    visitor.log_in()
    pid = demo.members()["C"]["pid"]
    visitor.post("/servers/C/kill")

    visitor.post("/servers/C/restart")

    members = demo.until(lambda members: members["C"]["phase"] == "up")
    assert members["C"]["pid"] != pid
    assert everywhere(visitor)["C"].user == "alice"


@pytest.mark.parametrize("affinity", ["cookie", "address"])
def test_a_server_that_is_asked_to_die_answers_first(demo, visitor, affinity):
    """Whoever kills the very server that serves them gets its answer, and then another server's."""
    visitor.log_in()
    visitor.post("/route", data={"affinity": affinity})
    looks = everywhere(visitor)
    (mine,) = looks

    killed = visitor.post(f"/servers/{mine}/kill")

    assert [answer.status_code for answer in [*killed.history, killed]] == [303, 200]
    assert f"Server {mine} was killed" in killed.text
    assert visitor.look().user == "alice"
    assert visitor.look().server != mine


def test_drained_server_sends_its_clients_to_others(demo, visitor):
    """Each with its session, at the next page; nobody new comes, and then it may be killed."""
    visitor.log_in()
    visitor.post("/route", data={"affinity": "cookie"})
    mine = visitor.look().server
    assert [visitor.look().server for _ in range(4)] == [mine] * 4

    drained = visitor.post(f"/servers/{mine}/drain")
    wait_for(lambda: visitor.look().server != mine)
    theirs = visitor.look().server
    with demo.visitor() as newcomer:
        newcomers = [newcomer.get("/now").json()["server"] for _ in range(9)]

    assert f"Server {mine} is draining" in drained.text
    assert demo.members()[mine]["phase"] == "draining"
    assert [visitor.look().server for _ in range(4)] == [theirs] * 4
    assert visitor.look().user == "alice"
    assert mine not in newcomers
    demo.until(lambda members: members[mine]["active"] == 0)


def test_server_takes_clients_again(demo, visitor):
    """After a drain; the last one that takes any is not drained."""
    visitor.log_in()
    visitor.post("/servers/A/drain")
    visitor.post("/servers/B/drain")
    last = visitor.post("/servers/C/drain")

    again = visitor.post("/servers/A/undrain")

    assert "Server C is the last one." in last.text
    assert "Server A takes clients." in again.text
    phases = {name: member["phase"] for name, member in demo.members().items()}
    assert phases == {"A": "up", "B": "draining", "C": "up"}


def test_the_last_server_is_spared(demo, visitor):
    """Of three servers two can be killed; a page without a server could not restart one."""
    visitor.post("/servers/A/kill")
    visitor.post("/servers/B/kill")

    page = visitor.post("/servers/C/kill")

    assert "Server C is the last one." in page.text
    assert demo.members()["C"]["phase"] == "up"


def test_there_is_nothing_to_do_for_the_dead_and_the_living(visitor):
    """A dead server is not killed again, and a living one not started."""
    visitor.post("/servers/A/kill")

    again = visitor.post("/servers/A/kill")
    living = visitor.post("/servers/B/restart")
    unknown = visitor.post("/servers/Z/kill")

    assert "no process of server A" in again.text
    assert "Server B does not need a start." in living.text
    assert "no process of server Z" in unknown.text


def test_round_robin_takes_turns(demo, visitor):
    """Without affinity three requests in a row go to three servers."""
    served = [visitor.get("/now").json()["server"] for _ in range(6)]

    assert sorted(served[:3]) == ["A", "B", "C"]
    assert served[:3] == served[3:]


def test_server_without_a_copy_says_so(demo, visitor):
    """One that was started while the store is stopped has none; the others serve their copies."""
    visitor.log_in()
    visitor.post("/store/stop", data={"readers": "copies"})
    killed = visitor.post("/servers/B/kill")
    visitor.post("/servers/B/restart")
    demo.until(lambda members: members["B"]["phase"] == "up")

    answers = [visitor.get("/experiments") for _ in range(6)]

    assert killed.status_code == 200
    refused = [answer.text for answer in answers if answer.status_code == 503]
    assert len(refused) == 2
    assert all("server B has no copy of your session" in text for text in refused)


@pytest.mark.parametrize(
    "headers",
    [{"host": "shop.example"}, {"host": "rebound.example:8000"}, {"host": "192.0.2.7:8000"}],
)
def test_servers_are_controlled_under_this_machines_own_address_only(demo, headers):
    """A foreign name that was made to point here sees no buttons, and its orders are refused."""
    page = httpx.get(demo.url, headers=headers)
    orders = [
        httpx.post(f"{demo.url}/servers/A/kill", headers=headers),
        httpx.post(f"{demo.url}/servers/A/restart", headers=headers),
        httpx.post(f"{demo.url}/servers/A/drain", headers=headers),
        httpx.post(f"{demo.url}/servers/A/undrain", headers=headers),
        httpx.post(f"{demo.url}/route", headers=headers, data={"affinity": "cookie"}),
    ]

    assert "/servers/A/kill" not in page.text
    assert [order.status_code for order in orders] == [403] * 5
    assert {member["phase"] for member in demo.members().values()} == {"up"}


def test_the_requests_are_counted(demo, visitor):
    """Each server's count is that of the requests it was given, health checks left out."""
    before = demo.members()

    for _ in range(9):
        visitor.get("/now")

    after = demo.members()
    grown = [after[name]["requests"] - before[name]["requests"] for name in "ABC"]
    assert sum(grown) == 10
    assert max(grown) - min(grown) <= 1


def test_servers_are_processes_of_their_own(demo):
    """Three servers are three processes, none of them the launcher."""
    pids = {member["pid"] for member in demo.members().values()}

    assert len(pids) == 3
    assert demo.process.pid not in pids
    assert all(os.getpgid(pid) != os.getpgid(demo.process.pid) for pid in pids)
