"""The shop on three servers: what one of them knows, all know; what is wrong is refused."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from demo.process import everywhere


def test_a_login_on_one_server_is_known_on_all(visitor):
    """Whichever server answers, it knows who logged in on another."""
    visitor.log_in()

    assert {name: look.user for name, look in everywhere(visitor).items()} == dict.fromkeys(
        "ABC", "alice"
    )


def test_a_stranger_gets_no_cookie(visitor):
    """Looking around stores nothing and sets nothing."""
    looks = everywhere(visitor)

    assert not visitor.cookies
    assert {look.id for look in looks.values()} == {None}


def test_a_login_makes_a_new_session_and_keeps_the_cart(visitor):
    """What a stranger put into the cart is there after the login, under another id."""
    visitor.add("mug")
    before = visitor.look()

    visitor.log_in()

    after = visitor.look()
    assert before.cart == after.cart == {"Barnacle mug": 1}
    assert before.id != after.id


def test_one_piece_is_taken_out(visitor):
    """Of two pieces one stays, and then the cart can be emptied."""
    visitor.add("mug")
    visitor.add("mug")

    visitor.post("/cart/remove", data={"item": "mug"})
    one_left = visitor.look().cart
    visitor.post("/cart/empty")

    assert one_left == {"Barnacle mug": 1}
    assert visitor.look().cart == {}


def test_additions_through_different_servers_all_survive(demo, visitor):
    """Twelve pieces added at once, through all three servers, are twelve pieces in the cart."""
    visitor.add("mug")
    before = demo.members()

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: visitor.add("socks"), range(12)))

    after = demo.members()
    assert {answer.status_code for answer in answers} == {200}
    assert all(after[name]["requests"] > before[name]["requests"] for name in "ABC")
    assert visitor.look().cart == {"Barnacle mug": 1, "Anemone socks": 12}


def test_a_full_cart_says_so(visitor):
    """Nobody makes a session grow without end."""
    for _ in range(61):
        visitor.post("/cart/add", data={"item": "sponge"}, follow_redirects=False)

    assert "Your cart is full." in visitor.get("/").text
    assert visitor.look().cart == {"Bath sponge": 60}


def test_settings_change_the_page(visitor):
    """The theme and the currency that were chosen are used by every server."""
    visitor.post("/settings", data={"theme": "dark", "currency": "GBP"})

    pages = [look.page for look in everywhere(visitor).values()]
    assert all('data-theme="dark"' in page and "£11.90" in page for page in pages)


@pytest.mark.parametrize(
    ("name", "password"),
    [("alice", "wrong"), ("mallory", "looking-glass"), ("", ""), ("alice' OR '1'='1", "x")],
)
def test_a_wrong_login_is_refused_in_one_way(visitor, name, password):
    """Whether the user or the password is wrong cannot be told from the answer."""
    visitor.log_in(name, password)

    look = visitor.look()
    assert look.user is None
    assert visitor.log_in(name, password).text.count("do not belong together") == 1


def test_logging_out_on_one_server_is_being_out_on_all(visitor):
    """The ticket of a session that was logged out opens nothing, on any server."""
    visitor.log_in()
    ticket = visitor.cookies["sid"]

    page = visitor.post("/logout")
    forgotten = dict(visitor.cookies)
    visitor.cookies.set("sid", ticket)

    assert "You are logged out." in page.text
    assert forgotten == {}
    assert {look.user for look in everywhere(visitor).values()} == {None}


def test_a_remembered_login_outlives_the_browser(demo):
    """Without the box the cookie ends with the browser; with it, it has an age."""
    with demo.visitor() as plain, demo.visitor() as remembered:
        plain_cookie = plain.log_in().history[0].headers["set-cookie"]
        remembered_cookie = remembered.log_in(remember="yes").history[0].headers["set-cookie"]

    assert "Max-Age" not in plain_cookie
    assert "Max-Age=2592000" in remembered_cookie


def test_a_device_that_is_ended_is_refused_at_once(demo):
    """One device ends another, which no server knows any more, and which learns why."""
    with demo.visitor() as desk, demo.visitor(**{"user-agent": "iPhone Safari/605"}) as phone:
        desk.log_in("bob", "sponge-and-bucket")
        desk.post("/devices/end-others")
        phone.log_in("bob", "sponge-and-bucket")
        seen = desk.look()

        desk.post(f"/devices/{seen.devices[0]}/end")

        assert "Safari on iOS" in seen.page
        assert {look.user for look in everywhere(phone).values()} == {None}
        assert any("a session that has ended" in text for text in phone.look().messages)
        assert desk.look().user == "bob"


def test_all_other_devices_end_together(demo):
    """The one that asks stays; the others are out."""
    with demo.visitor() as one, demo.visitor() as two, demo.visitor() as three:
        for visitor in (one, two, three):
            visitor.log_in("carol", "silent-night")

        three.post("/devices/end-others")

        assert [v.look().user for v in (one, two, three)] == [None, None, "carol"]


def test_nobody_ends_the_session_of_another(demo, visitor):
    """The id of a session is no right to end it."""
    with demo.visitor() as alice:
        alice.log_in()
        visitor.log_in("bob", "sponge-and-bucket")

        visitor.post(f"/devices/{alice.look().id}/end")

        assert alice.look().user == "alice"


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/cart/add", {"item": "yacht"}, 404),
        ("/cart/add", {}, 400),
        ("/login", {"username": "alice"}, 400),
        ("/settings", {"theme": "plaid", "currency": "EUR"}, 400),
        ("/route", {"affinity": "whim"}, 400),
        ("/nonsense", {}, 404),
    ],
)
def test_a_wrong_form_gets_a_plain_page(visitor, path, data, status):
    """What cannot be meant is refused with its status and a way back, and stores nothing."""
    answer = visitor.post(path, data=data)

    assert answer.status_code == status
    assert "Back to the shop" in answer.text
    assert not visitor.cookies


@pytest.mark.parametrize("length", ["announced", "unknown"])
def test_a_huge_form_is_refused(visitor, length):
    """A form beyond 16 KiB is 413, whether it says so before or not."""
    body = b"item=" + b"x" * 20_000

    answer = visitor.post(
        "/cart/add",
        content=body if length == "announced" else iter([body[:9_000], body[9_000:]]),
        headers={"content-type": "application/x-www-form-urlencoded"},
    )

    assert answer.status_code == 413


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "http://evil.example"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_a_form_of_another_site_is_refused(visitor, headers):
    """A page from elsewhere can neither log a visitor out nor kill a server."""
    visitor.log_in()

    answers = [
        visitor.post(path, headers=headers) for path in ("/logout", "/servers/A/kill", "/login")
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert {look.user for look in everywhere(visitor).values()} == {"alice"}


def test_every_answer_is_guarded(demo):
    """Pages, files and refusals alike forbid foreign content, framing and guessing of types."""
    answers = [httpx.get(demo.url + path) for path in ("/", "/static/live.js", "/now", "/none")]

    for answer in answers:
        assert answer.headers["content-security-policy"].startswith("default-src 'self'; ")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "no-store" in answers[0].headers["cache-control"]
    assert "immutable" in answers[1].headers["cache-control"]


def test_an_order_is_never_given_by_a_link(demo):
    """What changes something takes a form: GET is refused."""
    for path in ("/login", "/logout", "/cart/add", "/servers/A/kill", "/servers/A/restart"):
        assert httpx.get(demo.url + path).status_code == 405
