"""The architecture diagram that cannot lie: imports point down, each floor keeps its promise."""

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parent.parent / "src" / "sessile"
FLOORS = [
    {"errors"},
    {"core"},
    {"codecs"},
    {"wire"},
    {"stores"},
    {"cluster"},
    {"service"},
    {"web", "sinks"},
    {"balance", "admin"},
    {"lab", "demo"},
    {"cli"},
]
BESIDE = {"testing": 6, "": 6}  # beside the tower: up to service/
STANDARD_IN_CORE = {
    "base64", "binascii", "collections", "dataclasses", "datetime", "decimal", "enum", "functools",
    "hashlib", "hmac", "ipaddress", "itertools", "msgspec", "re", "sessile", "typing", "uuid",
}  # fmt: skip
AMBIENT = {"asyncio", "secrets", "socket", "ssl", "threading", "time", "random", "logging", "os"}
PURE = {"core", "codecs", "stores", "service"}


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
    """Floor 0 needs the standard library and msgspec, nothing else."""
    tops = {name.split(".")[0] for name in imported(path)}

    assert tops <= STANDARD_IN_CORE


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(HOUSE)))
def test_every_module_says_its_job(path):
    """The first line of a module says what it is for."""
    assert ast.get_docstring(ast.parse(path.read_text()))
