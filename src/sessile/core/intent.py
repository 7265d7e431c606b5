"""What a request wants of its session beside changed values. ``service.commit`` carries it out."""

from enum import Enum


class Intent(Enum):
    """What the application asked for beside changing values."""

    __hash__ = (
        object.__hash__
    )  # members are singletons; Enum's own is slow, and looked up per request

    KEEP = "keep"
    BEGIN = "begin a login"
    LOGIN = "login"
    STEP_UP = "step up"
    UNLOCK = "unlock"
    LOGOUT = "logout"
    ROTATE = "rotate"
