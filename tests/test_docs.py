"""The documentation says what the code does: tables, links, names, and the promises' tests."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sessile
from sessile import errors
from sessile.service import events

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#([^)]*))?\)")
TEST = re.compile(r"`(test_\w+)`")


def everything() -> str:
    return "\n".join(page.read_text() for page in PAGES)


def test_tables_are_those_of_the_code() -> None:
    """Every generated table stands in its page as the code would write it now."""
    script = [sys.executable, str(ROOT / "scripts" / "tables.py"), "--check"]
    done = subprocess.run(script, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr + "write: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to a file of the project leads to one."""
    for target, _ in LINK.findall(page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_exist(page: Path) -> None:
    """Every test that a page names as proof is there."""
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src/sessile/testing").rglob("*.py")]
    there = set(re.findall(r"def (test_\w+)", "\n".join(s.read_text() for s in sources)))

    assert set(TEST.findall(page.read_text())) <= there


def test_every_public_name_is_documented() -> None:
    """Each name of the public face, each event and each error stands in the documentation."""
    told = everything()
    public = set(sessile.__all__)
    public |= {name for name, thing in vars(events).items() if is_event(thing)}
    public |= {name for name, thing in vars(errors).items() if isinstance(thing, type)}

    assert {name for name in public if not re.search(rf"\b{name}\b", told)} == set()


def is_event(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, events.Event)


def test_public_face_is_sorted_and_real() -> None:
    """``__all__`` is sorted, and each name in it can be imported."""
    assert sorted(sessile.__all__) == sessile.__all__
    assert all(hasattr(sessile, name) for name in sessile.__all__)


def test_core_loads_two_of_its_three_libraries() -> None:
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


def test_core_installs_with_three_libraries() -> None:
    """What ``pip install sessile`` brings is msgspec, cryptography and ua-parser, no more."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^\w-]", need)[0] for need in project["dependencies"]}

    assert names == {"cryptography", "msgspec", "ua-parser"}
