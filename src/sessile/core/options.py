"""Options that are spelt wrong: name the one that was meant. For each class that takes options."""

import functools
from difflib import get_close_matches
from typing import Any, TypeVar

from sessile.errors import NoOption

C = TypeVar("C", bound=type)


def suggest_options(kind: C) -> C:
    """Have a class name its options to whoever gives it one that it does not have.

    Args:
        kind: a class whose ``__init__`` takes no keyword arguments but those it names.
    """
    init: Any = kind.__init__  # type: ignore[misc]  # of a class, not an object
    code = init.__code__
    names = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

    @functools.wraps(init)
    def check(self: object, *args: Any, **options: Any) -> None:
        for name in options:
            if name not in names:
                raise NoOption(f"{kind.__name__} takes no {name}=: {_advise(name, names)}")
        init(self, *args, **options)

    kind.__init__ = check  # type: ignore[misc]
    return kind


def _advise(name: str, names: tuple[str, ...]) -> str:
    near = get_close_matches(name, names, n=1)
    if near:
        return f"write {near[0]}="
    return f"it has {', '.join(names)}"
