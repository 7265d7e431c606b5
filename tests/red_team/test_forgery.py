"""Forgery: another site has the visitor's browser send a request, or open a WebSocket."""

import base64

from harness.handlers import logs_in, logs_out, start, who
from red_team.attack import commands, events_of, weakened_by
from sessile import Cookie
from sessile.core import csrf, origin
from sessile.core.identity import Intent
from sessile.core.origin import Origins
from sessile.core.request import PlainRequest
from sessile.service import commit
from sessile.service.events import CrossSite

THIEF, PARTNER = "https://thief.example", "https://partner.example"
PAGES = 40


def own(site):
    """Return the origin and the host of the site's own pages."""
    return site.address, site.address.removeprefix("http://")


def foreign(site):
    """Return the headers that browsers send with requests that pages of other sites make."""
    origin, host = own(site)
    name, _, port = host.partition(":")
    modern = [
        {"Sec-Fetch-Site": "cross-site", "Origin": THIEF},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Origin": origin},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": f"http://sibling.{host}"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "anything else"},
    ]
    old = [
        THIEF,
        "null",
        f"http://sibling.{host}",
        f"http://not{host}",
        f"http://{name}:{int(port) + 1}",
        f"http://{name}",
        f"{origin}.thief.example",
        f"{origin}@thief.example",
        f"{origin} {THIEF}",
        f"ftp://{host}",
        host,
    ]
    return [*modern, *({"Origin": text} for text in old)]


def twice(site):
    """Return headers of which two stand in one request: a proxy and a page wrote one each."""
    origin, host = own(site)
    return [
        [("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
        [("Origin", origin), ("Origin", THIEF)],
        [("Host", host), ("Origin", THIEF), ("X-Forwarded-Host", "thief.example")],
        [("Host", host), ("Origin", THIEF), ("X-HTTP-Method-Override", "GET")],
    ]


def other_sites_pass(patch):
    """Nobody looks at where a request comes from."""
    patch.setattr(Origins, "refuses_handshake", lambda origins, request, *_: None)


def null_is_no_origin(patch):
    """A page without an origin, as one in a sandbox, is taken for a program."""
    refuses = Origins.refuses_handshake

    def lenient(origins, request, *more):
        return None if request.header("origin") == "null" else refuses(origins, request, *more)

    patch.setattr(Origins, "refuses_handshake", lenient)


def siblings_are_the_site(patch):
    """What ends like the site's host is the site."""
    patch.setattr(
        origin,
        "_same_host",
        lambda place, header: ".".join(place[1:]).endswith(header.replace(":", ".")),
    )


def ports_do_not_count(patch):
    """Whatever runs on this host is the site."""
    patch.setattr(origin, "_same_host", lambda place, header: place[1] == header.partition(":")[0])


def beginnings_are_enough(patch):
    """An Origin that begins like the site's is the site's."""
    refuses = Origins.refuses_handshake

    def lenient(origins, request, *more):
        host = request.header("host")
        ours = request.header("origin").startswith((f"http://{host}", f"https://{host}"))
        return None if ours else refuses(origins, request, *more)

    patch.setattr(Origins, "refuses_handshake", lenient)


def first_of_two_counts(patch):
    """Of two fields of one name the first is read."""
    refuses = Origins.refuses_handshake

    def lenient(origins, request, *more):
        names = ("sec-fetch-site", "origin", "host")
        said = {name: request.header(name).partition(",")[0] for name in names}
        return refuses(origins, PlainRequest(said, request.method), *more)

    patch.setattr(Origins, "refuses_handshake", lenient)


def methods_can_be_overridden(patch):
    """A header says what the method is."""
    refuses = Origins.refuses

    def overridden(origins, request, *more):
        meant = request.header("x-http-method-override")
        return None if meant in origin.SAFE else refuses(origins, request, *more)

    patch.setattr(Origins, "refuses", overridden)


@weakened_by(
    other_sites_pass,
    null_is_no_origin,
    siblings_are_the_site,
    ports_do_not_count,
    beginnings_are_enough,
    first_of_two_counts,
    methods_can_be_overridden,
)
def test_a4_login_from_another_site_never_reaches_its_handler(site):
    """A form elsewhere logs no visitor in: a 403, no cookie, no store command, and an event."""
    ran = []

    def logs_mallory_in(session):
        ran.append(session.login("mallory"))

    lists = [list(headers.items()) for headers in foreign(site)] + twice(site)
    with commands(site) as asked:
        for number, headers in enumerate(lists, start=1):
            reply = site.ask(logs_mallory_in, method="POST", headers=headers)

            assert (reply.status, reply.set_cookie) == (403, None), headers
            assert len(events_of(site, CrossSite)) == number
    assert (ran, asked) == ([], [])


def posts_alone_are_checked(patch):
    """Forms can send nothing but POST, and somebody concluded too much from it."""
    patch.setattr(origin, "SAFE", origin.SAFE | {"PUT", "PATCH", "DELETE", "PROPFIND"})


@weakened_by(other_sites_pass, posts_alone_are_checked)
def test_a4_no_method_that_changes_something_passes(site):
    """Whatever is not GET, HEAD or OPTIONS is refused, for a visitor who is logged in as well."""
    cookie = start(site, v=1)
    headers = [("Sec-Fetch-Site", "cross-site"), ("Origin", THIEF)]
    for method in ("POST", "PUT", "PATCH", "DELETE", "PROPFIND"):
        reply = site.ask(lambda session: session.clear(), cookie, method=method, headers=headers)

        assert (reply.status, reply.set_cookie) == (403, None), method
    assert site.values(cookie) == {"v": 1}


def names_of_trusted_origins_are_enough(patch):
    """Of a trusted origin its host counts, by whatever scheme and port."""
    find = origin._parse_origin

    def named(text):
        place = find(text)
        return find(PARTNER) if place and place[1] == "partner.example" else place

    patch.setattr(origin, "_parse_origin", named)


def trusted_origins_have_subdomains(patch):
    """A host below a trusted one is trusted too."""
    find = origin._parse_origin

    def below(text):
        return find(PARTNER if text.endswith(".partner.example") else text)

    patch.setattr(origin, "_parse_origin", below)


@weakened_by(
    names_of_trusted_origins_are_enough,
    trusted_origins_have_subdomains,
    other_sites_pass,
    origins=Origins(trusted=[PARTNER]),
)
def test_a4_trusted_origin_is_that_one_alone(site):
    """Our own pages, programs and the partner pass; what only looks like the partner does not."""
    address, _ = own(site)
    good = [
        {"Sec-Fetch-Site": "same-origin", "Origin": address},
        {"Sec-Fetch-Site": "none"},
        {"Origin": address},
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": PARTNER},
        {"Origin": PARTNER},
    ]
    bad = [
        "http://partner.example",
        "https://partner.example:8443",
        "https://sub.partner.example",
        "https://partner.example.thief.example",
        "https://thief.example/https://partner.example",
        "null",
    ]
    passed = [site.ask(logs_in, method="POST", headers=list(one.items())) for one in good]
    assert [reply.status for reply in passed] == [200] * len(good)
    for text in bad:
        for more in ([], [("Sec-Fetch-Site", "cross-site")]):
            reply = site.ask(logs_in, method="POST", headers=[("Origin", text), *more])

            assert (reply.status, reply.set_cookie) == (403, None), text


def same_site_is_unsaid(patch):
    """The cookie leaves it to the browser which requests of other sites carry it."""
    write = Cookie._format
    patch.setattr(Cookie, "_format", lambda cookie: write(cookie).replace("; SameSite=Lax", ""))


def logouts_always_delete(patch):
    """Whoever asks for a logout is told to forget the cookie, carried or not."""
    headers = commit._headers

    def always(transaction, outcome, now):
        if transaction.state.intent is Intent.LOGOUT:
            return (transaction.opened.carrier.expire(),)
        return headers(transaction, outcome, now)

    patch.setattr(commit, "_headers", always)


@weakened_by(same_site_is_unsaid, logouts_always_delete, other_sites_pass)
def test_a4_image_on_another_site_logs_nobody_out(site):
    """An image's GET carries no SameSite=Lax cookie, so it ends nothing; a form's POST is refused.

    A link that the visitor follows does carry it: log out by POST.
    """
    login = site.ask(logs_in)
    image = site.ask(logs_out, headers=[("Sec-Fetch-Site", "cross-site")])
    form = site.ask(logs_out, login.cookie, method="POST", headers=[("Origin", THIEF)])

    assert "SameSite=Lax" in login.set_cookie.split("; ")
    assert (image.status, image.set_cookie) == (200, None)
    assert (form.status, form.set_cookie) == (403, None)
    assert site.ask(who, login.cookie).json == "alice"


@weakened_by(other_sites_pass, null_is_no_origin, siblings_are_the_site, interfaces=("asgi",))
def test_a45_page_of_another_site_opens_no_websocket(site):
    """Browsers send the cookie with a handshake and no CORS stops them; its Origin does."""
    cookie, address = start(site), site.address
    for headers in foreign(site):
        assert site.talk(who, cookie, headers.items()) == 403, headers
    assert len(events_of(site, CrossSite)) == len(foreign(site))

    assert site.talk(who, cookie, [("Origin", address)]) == "alice"
    assert site.talk(who, cookie, [("Sec-Fetch-Site", "same-origin")]) == "alice"
    assert site.talk(who, cookie) == "alice"


def page(site, cookie=""):
    """Return the token of a page, and the cookie that its visitor has then."""
    reply = site.ask(site.sessions.csrf_token, cookie)
    return reply.json, reply.cookie or cookie


def sent(site, cookie, token):
    """Return the status of a form that brings this token."""
    return site.ask(lambda session: site.sessions.check_csrf(session, token), cookie).status


def tokens_are_bound_to_nothing(patch):
    """A token is good for every session of the site."""
    base = csrf._base
    patch.setattr(csrf, "_base", lambda secret, subject: base(secret, b""))


def tokens_of_users_are_those_of_visitors(patch):
    """Whose session it was does not matter when it is over."""
    subject_of = csrf.subject_of
    patch.setattr(csrf, "subject_of", lambda key, *, bound: subject_of(key, bound=False))


def tokens_die_at_a_rotation(patch):
    """A page that is open when the ticket turns cannot be sent."""
    patch.setattr(csrf, "check", lambda ring, subjects, given: False)


def tickets_are_told_by_their_ids(patch):
    """Who presents an id is shown the tokens of whoever holds that ticket."""
    patch.setattr(
        csrf,
        "subjects_of_visitor",
        lambda ticket: (b"ticket " + ticket.key.encode(),) * 2,
    )


def tokens_are_shapes(patch):
    """What looks like a token is one."""
    patch.setattr(csrf, "check", lambda ring, subjects, given: bool(csrf._SHAPE.fullmatch(given)))


@weakened_by(tokens_are_bound_to_nothing, tokens_are_shapes)
def test_a50_token_of_another_session_is_refused(site):
    """An attacker's token, of whoever's session, or the victim's other one, sends no form."""
    victim = start(site)
    mine, _ = page(site, victim)
    others = ["", start(site), site.ask(lambda session: session.login("mallory")).cookie]
    theirs = [page(site, cookie)[0] for cookie in others]
    made_up = ["", "A" * 80, mine[:-1], mine[40:] + mine[:39], victim[4:] + victim[4:24]]

    assert [sent(site, victim, token) for token in theirs + made_up] == [403] * 8
    assert sent(site, "", mine) == 403
    assert sent(site, victim, mine) == 200


@weakened_by(tokens_are_bound_to_nothing, tokens_of_users_are_those_of_visitors)
def test_a50_token_dies_with_each_proof_of_identity(site):
    """A token that an attacker knew before a login, a step-up or a logout is no good after it."""
    proofs = [
        lambda session: session.login("alice"),
        lambda session: session.step_up("pay", factors=("totp",)),
        lambda session: session.begin_login("alice", factors=("password",)),
        lambda session: session.finish_login(factors=("totp",)),
    ]
    token, cookie = page(site)
    for proof in proofs:
        assert sent(site, cookie, token) == 200
        cookie = site.ask(proof, cookie).cookie
        assert sent(site, cookie, token) == 403
        token, cookie = page(site, cookie)
    site.ask(logs_out, cookie)
    assert sent(site, cookie, token) == 403


@weakened_by(tokens_die_at_a_rotation)
def test_a50_token_lives_as_long_as_its_session(site):
    """A page that was open while the ticket turned can be sent, as nobody else has that page."""
    token, cookie = page(site, start(site))
    once = site.ask(lambda session: session.rotate(), cookie).cookie
    twice = site.ask(lambda session: session.rotate(), once).cookie
    assert len({cookie, once, twice}) == 3
    assert sent(site, twice, token) == 200


@weakened_by(tickets_are_told_by_their_ids)
def test_a50_id_of_a_dead_session_opens_no_form(site):
    """A victim has just logged out; who read the id in a log gets no token of hers."""
    victim = start(site)
    site.ask(logs_out, victim)
    name, _, value = victim.partition("=")
    token, _ = page(site, f"{name}={value[:20]}{'A' * 40}")

    assert sent(site, victim, page(site, victim)[0]) == 200
    assert sent(site, victim, token) == 403


def tokens_are_not_masked(patch):
    """A page says the token as it is, again and again."""
    token = csrf.token
    patch.setattr(csrf, "token", lambda ring, subject, mask: token(ring, subject, bytes(30)))


def masks_are_drawn_once(patch):
    """One mask does for a whole process."""
    token, drawn = csrf.token, []

    def once(ring, subject, mask):
        drawn.append(mask)
        return token(ring, subject, drawn[0])

    patch.setattr(csrf, "token", once)


def masks_are_short(patch):
    """A mask hides the beginning of a token, and the rest is the same on each page."""
    token = csrf.token
    patch.setattr(
        csrf,
        "token",
        lambda ring, subject, mask: token(ring, subject, mask[:2] + bytes(28)),
    )


@weakened_by(tokens_are_not_masked, masks_are_drawn_once, masks_are_short)
def test_a50_no_answer_repeats_a_token(site):
    """Each page shows another text with nothing of it fixed, so compression tells nothing."""
    cookie = start(site)
    tokens = [page(site, cookie)[0] for _ in range(PAGES)]
    raw = [base64.urlsafe_b64decode(token) for token in tokens]
    bases = {bytes(a ^ b for a, b in zip(one[:30], one[30:], strict=True)) for one in raw}

    assert len(set(tokens)) == PAGES
    assert min(len(set(column)) for column in zip(*tokens, strict=True)) > 10
    assert len(bases) == 1
    assert bases.isdisjoint({half for one in raw for half in (one[:30], one[30:])})
    assert {sent(site, cookie, token) for token in tokens[:3]} == {200}
