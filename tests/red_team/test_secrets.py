"""Secrets that are none, and what is shown of those that are: nothing, to nobody, in no text."""

import gc
import logging
import re
from pathlib import Path
from types import FrameType, FunctionType, ModuleType

import pytest

from harness.handlers import logs_out, puts, reads
from red_team.attack import weakened_by
from sessile import Sessions
from sessile.core import secrets
from sessile.core.secrets import KeyRing
from sessile.core.session import state_of
from sessile.core.ticket import Ticket
from sessile.errors import ConfigError, SessileError, WeakSecret
from sessile.service import events, sessions
from sessile.stores.memory import MemoryStore
from sessile.testing.world import SECRET

ROOT = Path(__file__).parents[2]
FLASK = "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf"

WEAK = [
    "", " ", "x", "secret", "short but not repeated 1234567", "a" * 64, "ab" * 32, "0123456789" * 4,
    "0123456789abcdef0123456789abcdef", "changeme-changeme-changeme-change", FLASK, FLASK.upper(),
    "django-insecure-9x7^kq2_w!m$e3r5t8y", "my-super-secret-key-for-production", "\0" * 32,
    "correct horse battery password 1x", "your-secret-here-please-replace-it", b"\xff" * 40,
    "oldoldoldoldoldoldoldoldoldoldoldold", "this-is-an-example-1234567890-zyx",
]  # fmt: skip


def starts(given, *, by="argument"):
    """Tell whether an application starts with those secrets, given by argument or environment."""
    with pytest.MonkeyPatch.context() as patch:
        if by == "environment":
            patch.setenv("SESSILE_SECRETS", given)
        try:
            made = Sessions(store=MemoryStore(), secrets=None if by == "environment" else given)
        except WeakSecret:
            return False
    made.sync.close()
    return True


def secrets_are_taken_on_trust(patch):
    """A secret is what the operator says it is."""
    patch.setattr(secrets, "_check", lambda secret, place: None)


@weakened_by(secrets_are_taken_on_trust)
def test_a64_weak_secrets_are_refused_at_start(site):
    """Short, repeated and well-known secrets start nothing, however they are given."""
    for weak in WEAK:
        assert not starts([weak]), weak
        assert not starts([SECRET, weak]), weak
        if isinstance(weak, str) and weak.strip() and weak.isprintable():
            assert not starts(weak, by="environment"), weak
    assert starts(SECRET, by="environment")


@weakened_by(secrets_are_taken_on_trust)
def test_a64_nothing_that_the_documentation_shows_is_a_secret(site):
    """Whatever stands in our pages between quotes, or as a setting, starts no application."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown = re.compile(r"""["'`=\[ ]([A-Za-z0-9_+/=-]{16,})["'`\] \n]""")
    texts = {text for page in pages for text in shown.findall(page.read_text())}
    texts = {text for text in texts if not text.startswith(("test_", "/"))}
    assert texts, "no page shows anything that could be a secret"
    for text in texts:
        assert not starts([text]), text


def servers_draw_their_own(patch):
    """A server without a secret draws one, whoever else uses its store."""
    patch.setattr(sessions, "ring_of_host", lambda store, place, entropy: KeyRing([entropy(32)]))


@weakened_by(servers_draw_their_own)
def test_a64_shared_store_without_a_secret_is_refused(site):
    """Servers that share a store have to share a secret: none of them starts without."""
    try:
        Sessions("redis://localhost:1/0", secrets=None).sync.close()
    except ConfigError as error:
        said = str(error)
    else:
        said = "it starts"
    assert "sessile keygen" in said


EVIL = [
    "alice\nINFO root logged in", "alice\r\n\r\n200 OK", "alice\x1b[2J\x1b[1;31m", "alice\x00",
    "\x08" * 5, "alice\u2028bob", "\u202egnp.exe", "alice\x85bob", "%s%n%(secret)s {0.__class__}",
    "\ud7ff\x9b31m",
]  # fmt: skip


def facts_are_written_as_they_are(patch):
    """What an event tells is put together for reading."""

    def shown(event):
        return " ".join(str(getattr(event, name)) for name in event.__struct_fields__)

    for kind in (events.LoggedIn, events.Ended, events.Dropped):
        patch.setattr(kind, "__repr__", shown)


@weakened_by(facts_are_written_as_they_are)
def test_a65_no_name_can_write_a_line_of_a_log(site):
    """Users, devices, keys and ids that bring line ends or terminal codes are shown escaped."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = logging.getLogger("red team")
    logger.addHandler(handler)
    for evil in EVIL:
        cookie = site.ask(
            lambda s, evil=evil: s.login(evil, device=evil) or s.update({evil: 1})
        ).cookie
        site.ask(lambda s, evil=evil: errors_of(s, evil, lines), cookie)
        [info] = site.of(evil)
        lines.append(repr(info))
        site.ask(logs_out, cookie)
        site.ask(reads, f"sid={evil.encode().hex()}")
    for event in site.events:
        logger.warning("%s %r", event, event)
    logger.removeHandler(handler)
    assert len(lines) > 5 * len(EVIL)
    for line in lines:
        assert line.isprintable(), ascii(line)


def errors_of(session, evil, lines):
    """Do what cannot be done under that name, and note what the errors say."""
    for act in (
        lambda: session.update({evil: object()}),
        lambda: session.update({evil: "\ud800"}),
        lambda: session.increment(evil, "x"),
        lambda: session.login(evil * 500),
        lambda: session.login(evil, assurance=evil),
    ):
        try:
            act()
        except SessileError as error:
            lines.extend([str(error), repr(error)])


def tickets_show_themselves(patch):
    """The repr of a ticket is what a browser sends."""
    patch.setattr(Ticket, "__repr__", lambda ticket: f"<Ticket {ticket.reveal()}>")


def rings_show_themselves(patch):
    """The repr of a key ring lists its keys."""
    patch.setattr(KeyRing, "__repr__", lambda ring: f"<KeyRing {ring.all}>")


def reached(*roots):
    """Yield every object of ours that these lead to, whichever way."""
    waiting, seen = [*roots], set()
    while waiting:
        found = waiting.pop()
        if id(found) in seen or isinstance(found, ModuleType | FrameType | type | logging.Logger):
            continue
        seen.add(id(found))
        if type(found).__module__.partition(".")[0] == "sessile":
            yield found
        leads = gc.get_referents(found)
        if isinstance(found, FunctionType):  # not all of the module that it was made in
            leads = [one for one in leads if one is not found.__globals__]
        waiting.extend(leads)


@weakened_by(tickets_show_themselves, rings_show_themselves)
def test_a65_nothing_a_handler_reaches_shows_a_secret(site):
    """No repr of any object that leads from a session shows a ticket, a verifier or a secret."""
    cookie = site.ask(puts(v=1)).cookie
    told, kinds = [], set()

    def looks(session):
        session.login("alice")
        fresh = state_of(session).new_ticket()
        hidden = [SECRET, cookie[24:], fresh.reveal()[20:], repr(fresh.verifier)[2:-1]]
        hidden += [fresh.verifier.hex(), repr(Ticket.parse(cookie[4:]).verifier)[2:-1]]
        for found in reached(session, site.sessions):
            kinds.add(type(found).__name__)
            for text in (repr(found), str(found), f"{found}", f"{[found]!r}"):
                told.extend(type(found).__name__ for secret in hidden if secret in text)

    site.ask(looks, cookie)
    assert kinds >= {"Ticket", "KeyRing", "AesGcmSealer", "Context", "Record", "Cookie", "Created"}
    assert told == []
