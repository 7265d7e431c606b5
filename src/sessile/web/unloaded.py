"""What stands where a session would be when there is none: every use says why, and what to do.

``web.asgi`` puts it in the way of lazy requests; an excluded path has it in any interface.
"""

from typing import NoReturn

from sessile.errors import NotLoaded


class Unloaded:
    """No session; every use of it raises ``NotLoaded``.

    Args:
        why: what is wrong, and what to write instead.
    """

    __slots__ = ("_why",)

    def __init__(self, why: str) -> None:
        object.__setattr__(self, "_why", why)

    def refuse(self, *_: object) -> NoReturn:
        """Raise ``NotLoaded``, whatever was wanted."""
        raise NotLoaded(self._why)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python looks for its own protocols here; to them it is absent
            raise AttributeError(name)
        self.refuse()

    __setattr__ = __delattr__ = refuse
    __getitem__ = __setitem__ = __delitem__ = __contains__ = __iter__ = refuse
    __len__ = __bool__ = __or__ = __ror__ = __ior__ = refuse

    def __repr__(self) -> str:
        return "<session, not loaded>"


def excluded(prefixes: tuple[str, ...]) -> Unloaded:
    """Return what stands on the paths without sessions."""
    named = ", ".join(map(repr, prefixes))
    return Unloaded(
        f"this path has no session: it begins with one of exclude=({named}) of SessionMiddleware; "
        "take that prefix out, or do without the session here"
    )
