"""The architecture diagram that cannot lie: imports point down, each floor keeps its promise."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "src" / "sessile"
FLOORS = [
    {"errors", "core"},
    {"codecs"},
    {"wire"},
    {"stores"},
    {"cluster", "balancers"},
    {"service"},
    {"web", "sinks"},
    {"balance"},
    {"demo"},
    {"cli"},
]
BESIDE = {"testing": 5, "": 5, "__main__": 9}  # beside the tower: up to service/, or its door
STANDARD_IN_CORE = {
    "base64", "binascii", "collections", "dataclasses", "datetime", "decimal", "difflib", "enum",
    "functools", "hashlib", "hmac", "ipaddress", "itertools", "marshal", "msgspec", "re",
    "sessile", "types", "typing", "uuid",
}  # fmt: skip
AMBIENT = {"asyncio", "secrets", "socket", "ssl", "threading", "time", "random", "logging", "os"}
PURE = {"core", "codecs", "stores", "cluster", "balancers", "service"}


def modules():
    return sorted(HOUSE.rglob("*.py"))


def room(path):
    parts = path.relative_to(HOUSE).parts
    return parts[0].removesuffix(".py") if parts[0] != "__init__.py" else ""


def level(name):
    if name in BESIDE:
        return BESIDE[name]
    return next(i for i, rooms in enumerate(FLOORS) if name in rooms)


def imported(path):
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            names.add(node.module or "")
    return names


def test_every_room_is_on_a_floor():
    """No floor has a room that does not exist, and no room is on no floor."""
    rooms = {room(path) for path in modules()}

    assert set().union(*FLOORS) | set(BESIDE) == rooms


@pytest.mark.parametrize("number", range(len(FLOORS)))
def test_rooms_say_their_floor(number):
    """Whoever opens a package reads first which floor it is on."""
    for name in FLOORS[number]:
        path = HOUSE / name / "__init__.py" if (HOUSE / name).is_dir() else HOUSE / f"{name}.py"
        said = re.findall(r"\bFloor (\d+)\b", ast.get_docstring(ast.parse(path.read_text())) or "")

        assert said == [str(number)], f"{path.relative_to(HOUSE)} is on floor {number}"


def test_guide_shows_the_same_floors():
    """The table for whoever changes sessile is the one that is tested."""
    rows = re.findall(
        r"^\| (\d+|beside) \| ([^|]*) \|", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    shown = [
        (n, {one.removesuffix("/").removesuffix(".py") for one in re.findall("`(.*?)`", cell)})
        for n, cell in rows
    ]

    assert shown == [*((str(n), rooms) for n, rooms in enumerate(FLOORS)), ("beside", {"testing"})]


def test_errors_rest_on_nothing():
    """Whoever catches an error loads nothing else of sessile for it."""
    assert imported(HOUSE / "errors.py") == set()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(HOUSE)))
def test_imports_point_down(path):
    """A module imports from its own floor and from those below it, never from above."""
    here = level(room(path))

    for name in imported(path):
        if name == "sessile" or name.startswith("sessile."):
            there = [*name.split("."), ""][1]
            assert level(there) <= here, f"{path.relative_to(HOUSE)} imports {name} from above"


@pytest.mark.parametrize(
    "path", [p for p in modules() if room(p) in PURE], ids=lambda p: str(p.relative_to(HOUSE))
)
def test_only_wire_touches_the_world(path):
    """Clock, entropy, sockets, threads and event loops have one address."""
    tops = {name.split(".")[0] for name in imported(path)}

    assert not tops & AMBIENT


@pytest.mark.parametrize(
    "path", [p for p in modules() if room(p) == "core"], ids=lambda p: str(p.relative_to(HOUSE))
)
def test_core_stands_on_the_standard_library(path):
    """Values and decisions need the standard library and msgspec, nothing else."""
    tops = {name.split(".")[0] for name in imported(path)}

    assert tops <= STANDARD_IN_CORE


def test_nothing_unsafe_is_ever_read():
    """Marshal compares values and reads none; pickle is for the contract's planted rows alone."""
    for path in modules():
        assert room(path) == "testing" or not imported(path) & {"pickle", "shelve"}
        assert "marshal.load" not in path.read_text()
        assert "from marshal" not in path.read_text()


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(HOUSE)))
def test_every_module_says_its_job(path):
    """The first line of a module says what it is for."""
    assert ast.get_docstring(ast.parse(path.read_text()))
