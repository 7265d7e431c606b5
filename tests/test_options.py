"""Whoever spells an option wrong is told the right one, by every class that takes options."""

import inspect

import pytest

import sessile
import sessile.web.flask
from sessile import Policy
from sessile.errors import ConfigError
from sessile.web import asgi, wsgi

WITHOUT = {"Session", "SessionInfo", "SessileError"}  # made by sessile


def takes_options(kind):
    if not inspect.isclass(kind) or issubclass(kind, sessile.SessileError):
        return False
    is_own = kind.__module__.startswith("sessile.") and "__init__" in vars(kind)
    return is_own and not getattr(kind, "_is_protocol", False) and not hasattr(kind, "__members__")


KINDS = [
    *(kind for name in sessile.__all__ if takes_options(kind := getattr(sessile, name))),
    asgi.SessionMiddleware,
    wsgi.SessionMiddleware,
    sessile.web.flask.Sessile,
]
OPTIONS = [
    pytest.param(kind, name, id=f"{kind.__module__}.{kind.__name__}({name})")
    for kind in KINDS
    if kind.__name__ not in WITHOUT
    for name in inspect.signature(kind).parameters
]


def test_classes_are_found():
    """All that an application makes."""
    found = {kind.__name__ for kind in KINDS}
    assert {"Policy", "Cookie", "Sessions", "Binding", "Limit", "Origins", "Proxies"} <= found


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_misspelt_option_is_told_the_right_one(kind, name):
    """One letter too many, and nothing else said."""
    wrong = f"{name}s"
    with pytest.raises(ConfigError, match=rf"{kind.__name__} takes no {wrong}=: write {name}="):
        kind(**{wrong: 1})


def test_option_like_no_other_is_told_all():
    """Nothing is near: they are listed."""
    with pytest.raises(TypeError, match=r"Policy takes no colour=: it has idle, absolute, "):
        Policy(colour="red")


def test_presets_take_the_same_options():
    """A preset hands its options on."""
    with pytest.raises(ConfigError, match="write idle="):
        Policy.aal2(idel=60)
