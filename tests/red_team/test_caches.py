"""A shared cache between visitors and the site: it keeps what it may, and gives nobody away."""

import json
from dataclasses import dataclass

import httpx

from red_team.attack import weakened_by
from red_team.pages import Page, publishing
from sessile.web import headers as answers

ALICE, BOB = "alice", "bob"
KEPT = ("Cache-Control", "public, max-age=600")


@dataclass
class Stored:
    """An answer in the cache, and which requests it answers.

    Attributes:
        vary: the request's fields that it depends on, as they were.
        span: the range that it is, or nothing for all of it.
    """

    status: int
    headers: httpx.Headers
    body: bytes
    vary: dict
    span: str

    def answers(self, said):
        alike = all(said.get(name, "") == value for name, value in self.vary.items())
        return alike and self.span in {"", said["range"]}


class SharedCache:
    """A cache that keeps all that RFC 9111 allows, and believes that nothing goes stale by itself.

    Args:
        site: what it stands in front of.

    Attributes:
        hits: how many answers came out of it.
    """

    def __init__(self, site):
        self._site = site
        self._stored = {}
        self.hits = 0

    def ask(self, page, cookie="", *, method="GET", stale=False, span=""):
        """Answer from what is stored; ask the site where nothing is, or where it is ``stale``."""
        said = {"cookie": cookie, "range": span}
        stored = next((s for s in self._stored.get(page, []) if s.answers(said)), None)
        if stored is not None and not stale:
            self.hits += 1
            return stored
        headers = [("Range", span)] if span else []
        if stored is not None and method == "GET":
            headers.append(("If-None-Match", stored.headers["etag"]))
        reply = self._site.ask(page, cookie, method=method, headers=headers)
        return self._taken(page, said, stored, reply, method)

    def fields(self):
        """Return the names of all fields that the cache would serve."""
        return {name for kept in self._stored.values() for one in kept for name in one.headers}

    def _taken(self, page, said, stored, reply, method):
        ours = reply.headers.get("cdn-cache-control")  # RFC 9213: it counts in place of the other
        control = reply.headers.get("cache-control", "") if ours is None else ours
        directives = {part.strip() for part in control.split(",")}
        if not directives.isdisjoint({"no-store", "private"}) or reply.status not in {
            200,
            206,
            304,
        }:
            return reply
        if reply.status == 304 or method == "HEAD":
            if stored is not None:  # RFC 9111, 3.2 and 4.3.5: its fields replace the stored ones
                stored.headers.update(reply.headers)
            return reply
        vary = [name.strip().lower() for name in reply.headers.get("vary", "").split(",") if name]
        if "*" not in vary:
            kept = {name: said.get(name, "") for name in vary}
            span = said["range"] if reply.status == 206 else ""
            fresh = Stored(reply.status, reply.headers.copy(), reply.body, kept, span)
            self._stored.setdefault(page, []).append(fresh)
        return reply


def enters(user):
    def page(session, said):
        session.login(user)
        return Page()

    return page


def greets(session, said):
    """Greet the visitor, in a way that caches may keep."""
    name = session.user or "stranger"
    tag = f'"{name}"'
    headers = (KEPT, ("ETag", tag))
    if said.get("if-none-match") == tag:
        return Page(status=304, headers=headers)
    if "range" in said:
        span = ("Content-Range", f"bytes 0-2/{len(name)}")
        return Page(name[:3], 206, (*headers, span))
    return Page(name, headers=headers)


def answers_do_not_vary(patch):
    """No answer says that it depends on the cookie."""
    patch.setattr(answers, "_add_vary", lambda headers, *_: headers)


@weakened_by(answers_do_not_vary, serve=publishing)
def test_a43_no_visitor_is_shown_the_page_of_another(site):
    """Whole, in part and asked for again: each visitor is greeted by their own name."""
    alice, bob = (site.ask(enters(user)).cookie for user in (ALICE, BOB))
    visitors = {"": "stranger", alice: ALICE, bob: BOB}
    for how, length in (({}, 9), ({"span": "bytes=0-2"}, 3), ({"stale": True}, 9)):
        cache = SharedCache(site)
        for cookie, name in [*visitors.items(), *visitors.items()]:
            reply = cache.ask(greets, cookie, **how)

            assert reply.status == 304 or json.loads(reply.body) == name[:length], how
            assert reply.headers["etag"] == f'"{name}"', how
        assert cache.hits == (0 if "stale" in how else 3), "this cache keeps what it may"


class Shop:
    """A page that anybody may keep, until its visitor does something.

    Args:
        act: what the next visitor does with the session; nothing after that.
        said: what the application itself tells caches.
    """

    def __init__(self, *said):
        self.act = None
        self.said = said

    def __call__(self, session, said):
        act, self.act = self.act, None
        if act is not None:
            act(session)
        headers = (*self.said, ("ETag", '"1"'))
        if "if-none-match" in said:
            return Page(status=304, headers=headers)
        if "range" in said:
            return Page("soc", 206, (*headers, ("Content-Range", "bytes 0-2/5")))
        return Page("socks", headers=headers)


SAID = [
    (),
    (KEPT,),
    (("Cache-Control", "s-maxage=600"), ("Vary", "Accept")),
    (("cache-control", "Public"), ("CACHE-CONTROL", "max-age=600, immutable")),
    (("Cache-Control", 'no-cache="Set-Cookie", max-age=600'),),
    (("CDN-Cache-Control", "max-age=600"), ("Cache-Control", "private")),
    (("Expires", "Fri, 01 Jan 2100 00:00:00 GMT"), ("Pragma", "cache")),
]

ASKED = {
    "whole": {},
    "range": {"span": "bytes=0-2"},
    "again": {"stale": True},
    "head": {"method": "HEAD", "stale": True},
}


def cookies_may_be_kept(patch):
    """An answer with a cookie says nothing to caches."""
    patch.setattr(answers, "_add_no_store", lambda headers, words: headers)


def cookies_may_be_kept_by_some(patch):
    """What an application says to one kind of cache stays."""
    patch.setattr(answers, "_drop_targeted", lambda headers, words: headers)


@weakened_by(cookies_may_be_kept, cookies_may_be_kept_by_some, serve=publishing)
def test_a43_no_cookie_is_served_to_another_visitor(site):
    """A new ticket and the end of one reach the client that asked, and leave nothing in a cache."""
    acts = [
        lambda s: s.login(ALICE),
        lambda s: s.update(v=1),
        lambda s: s.rotate(),
        lambda s: s.logout(),
    ]
    for said in SAID:
        for name, how in ASKED.items():
            for number, act in enumerate(acts):
                cookie = site.ask(enters(BOB)).cookie if number > 1 else ""
                cache, shop = SharedCache(site), Shop(*said)
                if "stale" in how:
                    cache.ask(shop, cookie)
                shop.act = act
                mine = cache.ask(shop, cookie, **how)

                assert "set-cookie" in mine.headers, (said, name)
                assert "set-cookie" not in cache.fields(), (said, name)
