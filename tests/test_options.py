"""Whoever spells an option wrong is told the right one, by every class that takes options."""

import inspect
import re

import pytest

import sessile
import sessile.web.flask
from sessile import Cookie, Policy, Sessions
from sessile.core.options import OTHERS
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


FOREIGN = [
    (Policy, "max_age", "write idle=..., absolute=..."),
    (Policy, "max_sessions", "write limit=..."),
    (Policy, "idle_timeout", "write idle=..."),
    (Policy, "remember", r"write session.login(user, remember=True)"),
    (Cookie, "httponly", "write nothing: the cookie is always HttpOnly"),
    (Cookie, "samesite", "write same_site=SameSite.LAX"),
    (Cookie, "max_age", "write Sessions(policy=Policy(idle=..., absolute=...))"),
    (Sessions, "secure", "write cookie=Cookie(secure=...)"),
    (Sessions, "ttl", "write policy=Policy(idle=..., absolute=...)"),
    (Sessions, "SESSION_COOKIE_AGE", "write policy=Policy(idle=..., absolute=...)"),
    (Sessions, "key_prefix", 'write url="redis://cache:6379/0?prefix=..."'),
    (Sessions, "idle", "write policy=Policy(idle=...)"),
    (asgi.SessionMiddleware, "session_cookie", 'sessions=Sessions(cookie=Cookie(name="..."))'),
    (asgi.SessionMiddleware, "https_only", "sessions=Sessions(cookie=Cookie(secure=True))"),
    (asgi.SessionMiddleware, "secret_key", "write sessions=Sessions(secrets=[...])"),
    (asgi.SessionMiddleware, "autoload", 'write load="eager" or load="lazy"'),
    (asgi.SessionMiddleware, "cookie", "write sessions=Sessions(cookie=...)"),
    (wsgi.SessionMiddleware, "cookie_domain", "sessions=Sessions(cookie=Cookie(domain=...))"),
    (sessile.web.flask.Sessile, "permanent", "write session.login(user, remember=True)"),
]
"""What people write who come from elsewhere, and what they are told."""


@pytest.mark.parametrize(("kind", "name", "told"), FOREIGN)
def test_name_of_another_library_is_told_ours(kind, name, told):
    """It is told where the option stands here, whatever is spelt alike."""
    with pytest.raises(ConfigError) as refused:
        kind(**{name: 1})

    assert f"{kind.__name__} takes no {name}=: " in str(refused.value)
    assert told in str(refused.value)


@pytest.mark.parametrize(("name", "told"), sorted(OTHERS.items()))
def test_every_answer_is_right(name, told):
    """What is told for the name of another library does work."""
    home, words = told
    if home in {"Policy", "Cookie", "Sessions"}:
        for said in re.findall(r"(\w+)=", words.split("?")[0]):
            assert said in inspect.signature(getattr(sessile, home)).parameters, name
    else:
        assert words.startswith(("nothing: ", "session.login(", "load=")), name


@pytest.mark.parametrize("kind", [asgi.SessionMiddleware, wsgi.SessionMiddleware])
def test_middleware_without_sessions_says_so(kind):
    """What cannot be left out is named, as at the start of an application."""
    with pytest.raises(ConfigError, match=r"needs sessions=: write sessions=Sessions\(\.\.\.\)"):
        kind(lambda: None)
