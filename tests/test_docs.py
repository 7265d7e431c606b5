"""The documentation says what the code does: tables, links, names, and tests named as proof."""

import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache, partial
from pathlib import Path

import pytest

import sessile
from sessile import Session, Sessions, errors
from sessile.codecs.msgpack import ValueCodec
from sessile.core.limit import Limit
from sessile.core.session_values import SessionValues
from sessile.core.state import SessionState
from sessile.core.ticket import Ticket
from sessile.service import events
from sessile.service.sessions import SyncSessions

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#([^)]*))?\)")
TEST = re.compile(r"`(test_\w+)`")
SECURITY = (ROOT / "docs" / "security.md").read_text()
REASON = re.compile(r"(?:yours|not yet): \w")

REQUIREMENTS = {
    "OWASP ASVS 5.0, V7": """
        7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5
        7.5.1 7.5.2 7.5.3 7.6.1 7.6.2""",
    "OWASP ASVS 5.0, V3": "3.3.1 3.3.2 3.3.3 3.3.4 3.3.5 3.5.1 3.5.2 3.5.3 3.5.8",
    "OWASP ASVS 5.0: what else": """
        1.5.2 4.1.3 4.4.2 4.4.3 4.4.4 11.2.2 11.2.4 11.3.2 11.3.3 11.3.4 11.5.1 13.3.4 14.2.1
        14.3.1 14.3.2 15.3.4 15.4.1 15.4.2 15.4.3 16.2.5 16.3.1 16.3.2 16.3.3 16.4.1 16.5.2
        16.5.3""",
    "NIST SP 800-63B-4": "2.1.3 2.2.3 2.3.3 5.1a 5.1b 5.1c 5.1d 5.1e 5.1.1 5.2a 5.2b",
    "OWASP Session Management Cheat Sheet": " ".join(f"CS-{n}" for n in range(1, 21)),
    "OWASP Web Security Testing Guide": " ".join(f"SESS-{n:02}" for n in range(1, 12)),
    "Cookies": " ".join(f"CK-{n}" for n in range(1, 14)),
}
"""What each table of the page on security has to answer; its heading begins like this."""


def everything():
    return "\n".join(page.read_text() for page in PAGES)


def test_tables_are_those_of_the_code():
    """Every generated table stands in its page as the code would write it now."""
    script = [sys.executable, str(ROOT / "scripts" / "tables.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr + "write: make docs"


BOUND_WORDS = frozenset(
    """ATTEMPTS BATCH CAP CIPHERS EVERY FEWEST HIGHEST LARGE LARGEST LIMIT LONGEST MAX MOST PAGE
    PATIENCE SHORTEST SIZE STEPS WINDOW""".split()  # noqa: SIM905
)
"""How the name of a constant says that it is a bound."""

NO_BOUNDS = {
    "stores.redis_durability:_STEPS": "follows from the time that it is waited",
    "service.bounded_load:FEWEST": "with fewer nobody is moved",
    "wire.redis.client:_OF_LIMIT": "a share of the time limit, which is on the page of stores",
    "wire.redis.nodes:_MOST_ASKED": "after them the next look asks others",
    "wire.memcached.text:LONGEST_NAME": "memcached's own, and names of ours are shorter",
    "wire.memcached.reader:LONGEST_LINE": "whoever says more is no memcached server",
    "wire.embedded.stall:LOOP_PATIENCE": "after it the loop goes on, and the call too",
    "wire.embedded.stall:PATIENCE": "after it calls go elsewhere, none fails",
    "stores.settling:_LONGEST_PAUSE": "of many, which together are the time that is waited",
    "stores.lmdb_rows:_LONGEST_KEY": "no session has such a key, and it is absent",
    "wire.lmdb.holder:_EXIT_PATIENCE": "after it the interpreter ends, synced or not",
    "wire.lmdb.syncer:EVERY": "how often, and not how much",
    "wire.lmdb.syncer:_ATTEMPTS": "after them it waits for the next second",
    "wire.lmdb.syncpoint:_LONGEST": "whoever says more is damaged",
    "wire.listening:_LONGEST": "whoever says more is no server of NATS",
    "wire.sqlite.upkeep:EVERY": "how often, and not how much",
    "wire.sqlite.upkeep:_MOST_FREE": "beyond it the file shrinks",
}
BESIDE = ("balance", "cli", "demo", "testing")  # no part of an application's requests


def bounds_of_the_code():
    """Yield the places of the constants that are bounds by their name, and numbers."""
    house = ROOT / "src" / "sessile"
    for path in sorted(house.rglob("*.py")):
        where = path.relative_to(house)
        names = re.findall(r"^(\w+): Final(?:\[\w+\])? =", path.read_text(), re.MULTILINE)
        found = [name for name in names if BOUND_WORDS & {*name.split("_")}]
        if where.parts[0] not in BESIDE and found:
            module = ".".join(where.with_suffix("").parts)
            values = vars(importlib.import_module(f"sessile.{module}"))
            yield from (
                f"{module}:{n}" for n in found if isinstance(values[n], int | float | Limit)
            )


def test_every_bound_is_on_the_page_of_limits(monkeypatch):
    """Whoever adds a bound says what it is of, and what happens beyond it."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    bounds = importlib.import_module("bounds").BOUNDS
    places = [bound.place for group in bounds.values() for bound in group]
    named = {re.sub(r"\.number$", "", place) for place in places}

    assert sorted({*bounds_of_the_code()} - named - NO_BOUNDS.keys()) == []
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every link to a file of the project leads to one."""
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_exist(page):
    """Every test that a page names as proof is there."""
    assert set(TEST.findall(page.read_text())) - written() == set()


@cache
def written():
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src/sessile/testing").rglob("*.py")]
    return frozenset(re.findall(r"def (test_\w+)", "\n".join(s.read_text() for s in sources)))


def rows(page, standard):
    """Return the rows of a standard's table, each as its cells."""
    _, _, section = page.partition(f"\n### {standard}")
    lines = re.split(r"\n#", section)[0].splitlines()
    table = [line.strip("|").split(" | ") for line in lines if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in table[1:]]


def gaps(page, standard):
    """Return the ids that stand in no row or in several, and those that no standard has."""
    wanted = Counter(REQUIREMENTS[standard].split())
    found = Counter(id_ for row in rows(page, standard) for id_ in row[0].split(", "))
    return {id_ for id_ in wanted | found if wanted[id_] != found[id_]}


def unproved(page, standard):
    """Return the ids of rows that name no test there is, and give no reason in its place."""
    return [
        row[0]
        for row in rows(page, standard)
        if len(row) != 4
        or not (written().intersection(TEST.findall(row[3])) or REASON.match(row[3]))
    ]


@pytest.mark.parametrize("standard", REQUIREMENTS)
def test_every_requirement_has_one_row(standard):
    """What a standard demands of a session library stands in exactly one row of its table."""
    assert gaps(SECURITY, standard) == set()


@pytest.mark.parametrize("standard", REQUIREMENTS)
def test_every_row_is_proved(standard):
    """A row names a test, or says why it is the application's or not there yet."""
    assert unproved(SECURITY, standard) == []


@pytest.mark.parametrize(
    ("proof", "sound"),
    [
        ("`test_idle_session_ends`", True),
        ("yours: the passwords", True),
        ("not yet: there are none", True),
        ("", False),
        ("`test_that_nobody_wrote`", False),
        ("test_idle_session_ends", False),
        ("see above", False),
        ("yours:", False),
        ("it is not yet: there", False),
        ("yes | `test_idle_session_ends`", False),
    ],
)
def test_row_without_a_proof_is_found(proof, *, sound):
    """A proof is the name of a test there is, or a reason, in the place where it is looked for."""
    spoiled = re.sub(r"(\n\| 7\.3\.1 \|.*\| ).*( \|\n)", lambda m: m[1] + proof + m[2], SECURITY)

    assert spoiled != SECURITY
    assert ("7.3.1" not in unproved(spoiled, "OWASP ASVS 5.0, V7")) is sound


def test_missing_and_doubled_rows_are_found():
    """A requirement without a row, with two, or by a wrong number is a gap."""
    (row,) = re.findall(r"\n\| 7\.3\.1 \|.*", SECURITY)

    for spoiled, gap in [
        ("", "7.3.1"),
        (row * 2, "7.3.1"),
        (row.replace("7.3.1", "7.3.9"), "7.3.9"),
    ]:
        assert gap in gaps(SECURITY.replace(row, spoiled), "OWASP ASVS 5.0, V7")


def test_every_public_name_is_documented():
    """Each name of the public face, each event and each error stands in the documentation."""
    told = everything()
    public = set(sessile.__all__)
    public |= {name for name, thing in vars(events).items() if is_event(thing)}
    public |= {name for name, thing in vars(errors).items() if isinstance(thing, type)}

    assert {name for name in public if not re.search(rf"\b{name}\b", told)} == set()


def is_event(thing):
    return isinstance(thing, type) and issubclass(thing, events.Event)


def test_every_error_has_its_section():
    """The page of errors says of each where it is imported from, when it comes, and what to do."""
    page = (ROOT / "docs" / "errors.md").read_text()
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    sections = dict(re.findall(r"^### (\w+)\n(.*?)(?=^###|\Z)", page, re.MULTILINE | re.DOTALL))

    assert list(sections) == [kind.__name__ for kind in kinds]
    for name, section in sections.items():
        assert f"`from sessile.errors import {name}`" in section
        assert re.search(r"^- When: \w.*\n(.*\n)*- What to do: \S", section, re.MULTILINE), name


def code():
    """Return the code in the documentation: its blocks, and its words between backticks."""
    return "\n".join(re.findall(r"```.*?```|`[^`\n]+`", everything(), re.DOTALL))


@pytest.mark.parametrize("kind", [Session, SessionValues, Sessions, SyncSessions])
def test_every_verb_is_documented(kind):
    """Whatever an application can ask of a session, or of all of them, stands on a page as code."""
    told = code()
    names = {name for name in vars(kind) if not name.startswith("_")}

    assert {name for name in names if not re.search(rf"\b{name}\b", told)} == set()


def test_example_of_a_view_does_what_the_page_says():
    """The two versions of the class on the page, run: what the first has stored, the second reads.

    So the page's own upgrade is one that works.
    """
    page = (ROOT / "docs" / "start.md").read_text()
    section = page.partition("## An object of your own class")[2].partition("\n## ")[0]
    first, second = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    codec, mint = ValueCodec(), partial(Ticket.mint, bytes(45))
    old = SessionState(None, {}, codec, mint, 0.0)
    exec(first, {"session": Session(old), "__name__": "page"})
    stored = old.values.delta().set
    assert codec.decode(stored["cart"]) == {"items": ["socks"], "voucher": "SPRING"}

    names = {"session": Session(SessionState(None, stored, codec, mint, 0.0)), "__name__": "page"}
    exec(second, names)
    assert (names["cart"].amounts, names["cart"].voucher) == ({"socks": 1}, "SPRING")


def test_public_face_is_sorted_and_real():
    """``__all__`` is sorted, and each name in it can be imported."""
    assert sorted(sessile.__all__) == sessile.__all__
    assert all(hasattr(sessile, name) for name in sessile.__all__)


def test_core_loads_two_of_its_three_libraries():
    """``import sessile`` loads msgspec and cryptography; ua-parser and every driver wait."""
    code = (
        "import sys, sessile, sessile.web.asgi, sessile.web.wsgi; "
        "print(*sorted({m.split('.')[0] for m in sys.modules}))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    waiting = {"redis", "starlette", "flask", "typer", "rich", "h11", "uvicorn", "ua_parser"}

    assert not waiting & set(loaded)
    assert importlib.util.find_spec("redis") is not None


def test_core_installs_with_three_libraries():
    """What ``pip install sessile`` brings is msgspec, cryptography and ua-parser, no more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", need)[0] for need in project["dependencies"]}

    assert names == {"cryptography", "msgspec", "ua-parser"}
