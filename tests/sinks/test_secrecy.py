"""What no log, metric, trace or repr may hold: a ticket, a verifier, a value, a user."""

import re

import pytest

from sessile.sinks.jsonlines import JsonLines
from sessile.sinks.opentelemetry import OpenTelemetry
from sessile.sinks.prometheus import Prometheus
from sessile.stores.memory import MemoryStore
from sessile.testing.world import ABROAD, World

OWNER = "carol@example.org"
VALUE = "size 43 woollen"


@pytest.fixture
def recording(drive):
    """A life of sessions with logins, turns of the ticket, a theft and refusals: what hooks heard.

    Returns:
        the events, and every cookie value that any browser held.
    """
    world = World(MemoryStore(), drive)
    cookies = []

    def ask(handler, cookie=None, peer=None):
        if cookie is None and world.cookie:
            cookies.append(world.cookie)
        reply = world.ask(handler, cookie, peer=peer)
        if reply.set_cookie is not None and reply.cookie:
            cookies.append(reply.cookie)

    ask(lambda s: s.update(socks=VALUE))
    ask(lambda s: s.login(OWNER))
    first = world.cookie
    world.clock.advance(1000)
    ask(dict)
    ask(dict)
    world.clock.advance(100)
    ask(dict, first)
    world.clock.advance(100)
    ask(dict, first, ABROAD)
    ask(lambda s: s.update(socks=VALUE), "")
    ask(lambda s: s.login(OWNER))
    forged = world.cookie[:-4] + ("AAAA" if world.cookie[-4:] != "AAAA" else "BBBB")
    cookies.append(forged)
    ask(dict, forged)
    ask(lambda s: s.logout())
    ask(dict, forged[:-1])
    return world.events, [cookie.partition("=")[2] for cookie in cookies]


def names(events):
    return {type(event).__name__ for event in events}


def verifiers(cookies):
    return {cookie[20:] for cookie in cookies}


def test_story_tells_of_every_danger(recording):
    """The story below holds the events that a careless word would be in."""
    events, cookies = recording

    dangers = {"Created", "LoggedIn", "Rotated", "StaleTicket", "Replayed", "Ended", "Refused"}
    assert dangers <= names(events)
    assert len(verifiers(cookies)) >= 5


def test_no_event_shows_a_secret(recording):
    """Neither the repr of an event nor its fields hold a ticket, half of one, or a value."""
    events, cookies = recording
    shown = "\n".join(repr(event) for event in events)

    assert not [verifier for verifier in verifiers(cookies) if verifier[:30] in shown]
    assert VALUE not in shown
    assert re.search(r"[\w-]{60}", shown) is None


def test_no_sink_shows_a_secret(recording, log, metrics, trace):
    """No log line, metric or span holds a ticket, a value or a user."""
    events, cookies = recording
    written = everything(events, log, metrics, trace)

    assert events[0].session in written
    assert not [verifier for verifier in verifiers(cookies) if verifier[:30] in written]
    assert VALUE not in written
    assert OWNER not in written


def everything(events, log, metrics, trace):
    hooks = [JsonLines(), Prometheus(metrics), OpenTelemetry(trace.provider)]
    with trace.current():
        for event in events:
            for hook in hooks:
                hook(event)
    spans = "".join(span.to_json() for span in trace.spans.values())
    return log.text + metrics.scrape() + spans + repr(hooks)
