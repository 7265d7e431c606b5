"""Bytes that no traceback shows. Drivers hold commands and rows so."""


class Opaque(bytes):
    """Bytes whose ``repr`` tells how many they are, and nothing of them.

    An error tracker keeps the locals of every frame that an error passes through. A command may
    hold the server's password, or the values of a session.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"

    __str__ = __repr__
