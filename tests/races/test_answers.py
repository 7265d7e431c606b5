"""What an answer says of its session: headers, cookies, and what a log may say of it."""

from dataclasses import dataclass, field

import pytest

from harness.sites import serve
from sessile import Cookie, SameSite

APPLICATIONS = [
    ("Set-Cookie", "csrftoken=abc; Path=/; SameSite=Lax"),
    ("Set-Cookie", "sidebar=open, wide; Expires=Wed, 21 Oct 2099 07:28:00 GMT"),
]
LOOKS = {
    "s[k]": lambda s: s["v"],
    "get": lambda s: s.get("v"),
    "get missing": lambda s: s.get("w"),
    "in": lambda s: "v" in s,
    "not in": lambda s: "w" not in s,
    "len": len,
    "bool": bool,
    "iteration": list,
    "keys": lambda s: list(s.keys()),
    "values": lambda s: list(s.values()),
    "items": lambda s: list(s.items()),
    "==": lambda s: s == {},
    "pop missing": lambda s: s.pop("w", None),
    "id": lambda s: s.id and None,
    "user": lambda s: s.user,
    "new": lambda s: s.new,
    "assurance": lambda s: s.assurance,
    "authenticated_at": lambda s: s.authenticated_at,
    "info": lambda s: s.info is None,
    "factors": lambda s: s.factors,
    "persistent": lambda s: s.persistent,
    "device": lambda s: s.device,
    "pending": lambda s: s.pending,
    "lock": lambda s: s.lock,
    "locked_user": lambda s: s.locked_user,
    "has_grant": lambda s: s.has_grant("pay"),
    "modified": lambda s: s.modified,
    "view": lambda s: s.view(Cart).items,
    "flashes": lambda s: s.flashes(),
}


@dataclass
class Cart:
    """What a page may look at as an object."""

    items: list[str] = field(default_factory=list)


def begins(session):
    session["v"] = 1


@pytest.fixture
def site(interface):
    """A site in memory: what is shown here does not depend on the store."""
    with serve(interface, "memory://") as site:
        yield site


def test_every_look_varies_by_cookie(site):
    """However a handler looks at its session, no cache shows the page to another visitor."""
    cookie = site.ask(begins).cookie
    for name, look in LOOKS.items():
        reply = site.ask(look, cookie)

        assert (reply.status, reply.headers.get("vary"), reply.set_cookie) == (
            200,
            "Cookie",
            None,
        ), name


def test_page_that_did_not_look_stays_cacheable(site):
    """A handler that leaves the session alone is answered without Vary, whoever asks."""
    cookie = site.ask(begins).cookie

    for sent in ("", cookie):
        assert "vary" not in site.ask(lambda _: None, sent).headers


def test_cookies_of_the_application_stay_as_they_are(site):
    """A CSRF cookie, and one whose name begins like ours, leave and come back beside ours."""
    cookie = site.ask(begins).cookie
    site.headers = APPLICATIONS
    theirs = [value for _, value in APPLICATIONS]
    for act, ours in [
        (dict, 0),
        (lambda s: s.login("alice"), 1),
        (lambda s: s.rotate(), 1),
        (lambda s: s.logout(), 1),
    ]:
        reply = site.ask(act, f"csrftoken=abc; {cookie}; sidebar=open")
        sent = reply.headers.get_list("set-cookie")
        cookie = sent[-1].partition(";")[0] if ours else cookie

        assert sent[:2] == theirs
        assert len(sent) == 2 + ours
        assert reply.headers.get("cache-control") == ("no-store" if ours else None)


def test_every_cookie_has_the_attributes_of_the_first(interface):
    """What is set, turned, renewed and deleted is one cookie to a browser; the lifetime differs."""
    acts = [
        begins,
        lambda s: s.rotate(),
        lambda s: s.login("alice", remember=True),
        lambda s: s.step_up("pay", factors=("totp",)),
        lambda s: s.logout(),
    ]
    cookie, lines = "", []
    with serve(
        interface, "memory://", cookie=Cookie(same_site=SameSite.STRICT, partitioned=True)
    ) as site:
        for act in acts:
            reply = site.ask(act, cookie)
            cookie = reply.cookie
            lines.append(reply.set_cookie.split("; "))

    for line in lines:
        assert line[0].startswith("__Host-sid=")
        assert [part for part in line[1:] if not part.startswith("Max-Age=")] == [
            "Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Partitioned",
        ]  # fmt: skip
    lifetimes = [next((p for p in line if p.startswith("Max-Age=")), None) for line in lines]
    assert lifetimes == [None, None, "Max-Age=2592000", "Max-Age=2592000", "Max-Age=0"]


def test_cookie_does_not_grow_with_the_session(site):
    """A session of a megabyte has the cookie of an empty one: browsers drop what is over 4 KB."""
    small = site.ask(begins).cookie
    large = site.ask(lambda s: s.update(page="x" * 1_000_000)).cookie

    assert len(small) == len(large) < 100


def test_logging_a_session_changes_nothing(site):
    """A log shows the id and no value; what it blacks out in its copy stays in the session."""
    cookie = site.ask(lambda s: s.update(password="swordfish")).cookie

    def logs(session):
        copy = dict(session)
        copy["password"] = "*****"
        return f"{session!r} {session} {session.keys()!r} {copy}"

    reply = site.ask(logs, cookie)
    assert "<Session " in reply.json
    assert "swordfish" not in reply.json
    assert reply.set_cookie is None
    assert site.values(cookie) == {"password": "swordfish"}
