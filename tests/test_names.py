"""Names that a stranger can guess: functions are verbs or nouns, no class name stands twice."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).parent.parent / "src" / "sessile"
IRREGULAR = frozenset(
    """begun born bought bound broken brought built caught chosen done drawn driven fallen felt
    found given gone heard held hidden kept known laid left lent lost made meant met paid proven
    said seen sent shown shut slept sold spelt spent spoken stolen stood stuck sworn taken thought
    thrown told torn understood woken won worn woven written""".split()  # noqa: SIM905
)
VERBS = frozenset(
    ("embed", "exceed", "feed", "heed", "need", "proceed", "seed", "speed", "succeed")
)
ALLOWED = frozenset(("owned_by",))  # a verb of the store's contract: the records owned by a user
TWICE = frozenset(("SessionMiddleware",))  # one for ASGI, one for WSGI: the frameworks' own word
RIDDLE = re.compile(r"(Return what\b|Be the\b)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def definitions() -> Iterator[tuple[str, ast.ClassDef | Function]]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}", node


def is_property(node: Function) -> bool:
    marks = [ast.unparse(mark) for mark in node.decorator_list]
    return any("property" in mark or "setter" in mark for mark in marks)


def is_participle(name: str) -> bool:
    first = name.strip("_").partition("_")[0]
    return first in IRREGULAR or (first.endswith("ed") and first not in VERBS)


def test_functions_are_verbs_or_nouns() -> None:
    """A function does or is something; a participle says neither. A property may be a state."""
    participles = [
        where
        for where, node in definitions()
        if isinstance(node, Function) and not is_property(node)
        if is_participle(node.name) and node.name.strip("_") not in ALLOWED
    ]

    assert participles == []


def test_no_class_name_stands_twice() -> None:
    """Whoever reads a class's name knows which one it is."""
    places = defaultdict(list)
    for where, node in definitions():
        if isinstance(node, ast.ClassDef) and node.name not in TWICE:
            places[node.name].append(where)

    assert {name: there for name, there in places.items() if len(there) > 1} == {}


def test_no_docstring_is_a_riddle() -> None:
    """A docstring names the thing: not "Return what is left under the key", but "the tombstone"."""
    riddles = [
        where for where, node in definitions() if RIDDLE.match(ast.get_docstring(node) or "")
    ]

    assert riddles == []
