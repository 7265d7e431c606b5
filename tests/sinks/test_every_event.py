"""Whatever comes in, a sink writes what it says it writes: every event, every hostile text."""

import json
import re

import msgspec
import pytest

from sessile.service.events import Event, Timed
from sessile.sinks.jsonlines import JsonLines
from sessile.sinks.kinds import KINDS
from sessile.sinks.opentelemetry import OpenTelemetry
from sessile.sinks.prometheus import Prometheus
from sessile.sinks.users import Users
from sinks.hostile import CHECKSUM, TEXTS, every_event

OWNER = "carol@example.org"
ADDRESS = "203.0.113.77"
PERSONAL = {"owner": OWNER, "address": ADDRESS, **TEXTS}
LONGEST_LINE = 32_000


def subclasses(kind):
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def test_every_kind_is_known():
    """A new event is walked through the sinks without a line added here."""
    ours = {k for k in subclasses(Event) - {Event} if k.__module__ == Event.__module__}

    assert ours == set(KINDS)
    assert {type(event) for event in every_event("x")} == ours


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_any_text_is_one_safe_line(text, log):
    """Each event is one line of printable ASCII, of bounded length, that strict readers read."""
    for event in every_event(text):
        before = len(log.text)
        JsonLines(users=Users.PLAIN)(event)
        level, _, line = log.text[before:].partition(" ")

        assert level in {"INFO", "WARNING", "ERROR"}
        assert re.fullmatch(r"\{[ -~]*\}\n", line)
        assert len(line) < LONGEST_LINE
        read = msgspec.json.decode(line)
        assert read == json.loads(line)
        assert read["event"] == type(event).__name__
        assert list(read)[:3] == ["event", "at", "session"]


def test_harmless_text_comes_back_as_it_was(log):
    """Escaping loses nothing: what could be written is read as the same text."""
    sent = 'é\r\n"\\\u2028\u202e\x1b\x7f😀'
    for event in every_event(sent):
        before = len(log.text)
        JsonLines(users=Users.PLAIN)(event)
        read = json.loads(log.text[before:].partition(" ")[2])

        assert read["session"] == sent
        assert read["client"] == {"address": sent, "browser": sent, "system": sent}
        assert read.get("owner", sent) == sent
        assert read.get("origin", sent) == sent


def test_every_field_is_in_the_line(log):
    """A line holds all that its event says, but for the owner and the User-Agent's checksum."""
    for event in every_event("x"):
        before = len(log.text)
        JsonLines()(event)
        line = log.text[before:].partition(" ")[2]

        assert set(json.loads(line)) == {"event", *event.__struct_fields__} - {"owner"}
        assert str(CHECKSUM) not in line


@pytest.mark.parametrize("users", [Users.OMITTED, Users.PSEUDONYM])
def test_no_owner_unless_asked(users, log):
    """By default, and under a pseudonym, no line names a user."""
    key = b"xK8#mQ2$vL5!nR9@pT3^wZ7&bY4*cF6h" if users is Users.PSEUDONYM else None
    for event in records_of(OWNER):
        JsonLines(users=users, key=key)(event)

    assert OWNER not in log.text
    assert ('"owner":' in log.text) is (users is Users.PSEUDONYM)


def test_plain_owner_is_there_when_asked(log):
    """``Users.PLAIN`` names them."""
    for event in records_of(OWNER):
        JsonLines(users=Users.PLAIN)(event)

    assert log.text.count(f'"owner":"{OWNER}"') == len(records_of(OWNER))


@pytest.mark.parametrize("text", PERSONAL.values(), ids=PERSONAL)
def test_metrics_have_the_same_series_whatever_comes(text, metrics):
    """Every series is there before the first event, and no text from outside makes another one."""
    prometheus = Prometheus(metrics)
    before = metrics.series()
    for event in every_event(text):
        prometheus(event)

    assert metrics.series() == before
    assert len([series for series in before if series[0] == "sessile_events_total"]) < 60
    assert text not in metrics.scrape()


@pytest.mark.parametrize("text", PERSONAL.values(), ids=PERSONAL)
def test_traces_carry_ids_and_reasons_alone(text, trace):
    """A span holds the session's id and a reason; nobody's name, address or text."""
    hook = OpenTelemetry(trace.provider)
    with trace.current():
        for event in every_event(text):
            hook(without_id(event))
    request = trace.spans["request"]

    found = [event.attributes for event in request.events]
    found += [span.attributes for name, span in trace.spans.items() if name != "request"]
    assert len(found) > 2
    assert {key for attributes in found for key in attributes} <= {"sessile.reason"}
    assert all(re.fullmatch("[A-Z_]+", value) for each in found for value in each.values())


def records_of(owner):
    """Return the events that have an owner, which stands nowhere else in them."""
    every = (event for event in every_event("x") if "owner" in event.__struct_fields__)
    return [msgspec.structs.replace(event, owner=owner) for event in every]


def without_id(event):
    return msgspec.structs.replace(event, session=None)


def test_only_timers_are_timed():
    """A sink says itself whether ``Timed`` is for it."""
    assert getattr(Prometheus, "timed", False)
    assert getattr(OpenTelemetry, "timed", False)
    assert not getattr(JsonLines, "timed", False)
    assert Timed in KINDS
