"""The two answers to a balancer that docs/deployment.md shows, run as they stand there."""

import re

import pytest
from fastapi.testclient import TestClient

from harness.proxies import PAGE
from harness.recording_store import RecordingStore, take_commands
from sessile.core.ticket import Ticket
from sessile.service.sessions import context_of


@pytest.fixture
def program(monkeypatch):
    """The names of the page's program, over a store that remembers what it was asked."""
    section = PAGE.read_text().partition("\n## Health\n")[2]
    monkeypatch.setenv("SESSILE_URL", "memory://")
    names = {"__name__": "shop"}
    exec(re.search(r"```python\n(.*?)```", section, re.DOTALL)[1], names)
    monkeypatch.setattr(context_of(names["sessions"]), "store", RecordingStore())
    return names


def test_health_asks_no_store(program):
    """Whatever the balancer sends along, a store that is away takes no server out."""
    cookies = {"__Host-sid": Ticket.mint(bytes(45)).reveal()}
    client = TestClient(program["app"], base_url="https://shop", cookies=cookies)
    reply = client.get("/health")

    assert (reply.status_code, reply.json()) == (200, "ok")
    assert take_commands(program["sessions"]) == []


def test_ready_asks_the_store(program):
    """It costs one command, and is a 503 while the store is away."""
    client = TestClient(program["app"], base_url="https://shop")
    assert client.get("/ready").json() == "ok"
    assert take_commands(program["sessions"]) == ["ping"]

    context_of(program["sessions"]).store.down = True
    reply = client.get("/ready")
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
