"""The first page: what sessile is, three steps, and words that are true of what is seen."""

import re

import pytest

from demo.process import DemoProcess, everywhere

DONE = re.compile(r'class="step done" href="([^"]+)"')
STEPS = re.compile(r'class="step[^"]*" href="([^"]+)"')


def test_three_steps_stand_at_the_top(visitor):
    """A sentence, and where each step is done; none is for a stranger, of whom nothing is kept."""
    page = visitor.get("/").text

    assert "<strong>sessile</strong> is a session library" in page
    assert STEPS.findall(page) == ["/#shop", "/#servers", "/theft"]
    assert DONE.findall(page) == []
    assert not visitor.cookies


def test_steps_are_marked_when_they_were_done(demo, visitor):
    """The marks are in the session, so each server shows them, and a login keeps them."""
    visitor.add("mug")
    first = DONE.findall(visitor.get("/").text)
    visitor.post("/servers/B/kill")
    second = DONE.findall(visitor.get("/").text)
    visitor.log_in()
    visitor.steal()

    assert first == ["/#shop"]
    assert second == ["/#shop", "/#servers"]
    assert {tuple(DONE.findall(look.page)) for look in everywhere(visitor).values()} == {
        ("/#shop", "/#servers", "/theft")
    }


def test_a_theft_that_ended_the_session_counts_too(visitor):
    """The session could not keep the mark: the login that is told of the theft makes it."""
    visitor.log_in()
    visitor.policy("end")
    visitor.steal()

    visitor.log_in()

    assert DONE.findall(visitor.get("/").text) == ["/theft"]


@pytest.mark.parametrize(
    ("affinity", "words"),
    [
        ("none", "another server answers"),
        ("cookie", "a cookie ties you to it"),
        ("address", "your address ties you to it"),
    ],
)
def test_the_hint_follows_the_routing(visitor, affinity, words):
    """What is promised of the next load is what the chosen routing does."""
    visitor.post("/route", data={"affinity": affinity})

    page = visitor.get("/").text

    assert words in page
    assert ("another server answers" in page) is (affinity == "none")


def test_no_other_server_answers_where_none_is_up(visitor):
    """With one server left no other can."""
    visitor.post("/servers/A/kill")
    page = visitor.post("/servers/B/kill").text

    assert "No other server is up" in page
    assert "another server answers" not in page


@pytest.fixture
def ended(demo, visitor):
    """Somebody whose page is still open, and whose session was ended from another device."""
    visitor.add("mug")
    visitor.log_in("bob", "sponge-and-bucket")
    with demo.visitor() as other:
        other.log_in("bob", "sponge-and-bucket")
        other.post("/devices/end-others")
    return visitor


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/cart/remove", {"item": "mug"}),
        ("/cart/empty", {}),
        ("/turn", {}),
        ("/devices/end-others", {}),
        ("/devices/aaaaaaaaaaaaaaaaaaaa/end", {}),
        ("/checkout", {}),
        ("/checkout/code", {"code": "123456"}),
        ("/theft", {"way": "elsewhere"}),
        ("/experiments/twenty", {}),
        ("/experiments/late", {}),
    ],
)
def test_a_click_in_an_ended_session_says_so(ended, path, data):
    """Nothing is done, nothing is begun, and there is a message."""
    page = ended.post(path, data=data)

    assert page.status_code == 200
    assert "Nothing was done: the session of that click has ended." in page.text
    assert ended.look().id is None


@pytest.mark.parametrize(
    ("path", "data"),
    [("/cart/add", {"item": "mug"}), ("/settings", {"theme": "dark", "currency": "EUR"})],
)
def test_what_begins_a_new_session_says_so(ended, path, data):
    """The click is carried out for a stranger, who is told that the login is gone."""
    page = ended.post(path, data=data).text

    assert "The session of that click has ended. A new one, of nobody, begins with it." in page
    assert ended.look().id is not None


def test_whoever_is_nobody_now_ends_no_devices(ended):
    """A new session of nobody has taken the place of the login: there are no devices to count."""
    ended.add("mug")

    page = ended.post("/devices/end-others").text

    assert "nobody is logged in here any more" in page
    assert "logged out." not in page


def test_a_cookie_that_is_there_is_not_denied(ended, demo):
    """An ended session's ticket is still in the browser; a stranger has none."""
    page = ended.get("/").text

    assert "Your browser still shows the ticket of one that has ended" in page
    assert "you have no cookie" not in page
    with demo.visitor() as stranger:
        assert "you have no cookie" in stranger.get("/").text


def test_one_request_is_one_request():
    """A count and its noun agree."""
    with DemoProcess(servers=2) as demo, demo.visitor() as visitor:
        page = visitor.get("/").text

    found = re.findall(r'data-fact="requests">(\d+)</span> <span[^>]*>(requests?)<', page)
    assert found == [("1", "request"), ("0", "requests")]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nonsense", {}, 404),
        ("GET", "/logout", {}, 405),
        ("POST", "/cart/add", {}, 400),
        ("POST", "/logout", {"sec-fetch-site": "cross-site"}, 403),
        ("POST", "/store/stop", {"host": "shop.example"}, 403),
    ],
)
def test_an_error_has_the_head_of_every_page(visitor, method, path, headers, status):
    """Whoever took a wrong way finds the others, and is who they were."""
    visitor.log_in()

    answer = visitor.request(method, path, headers=headers)

    assert answer.status_code == status
    assert '<nav class="wrap places" aria-label="Pages">' in answer.text
    assert "Not Found" not in answer.text
    assert visitor.look().user == "alice"


def test_messages_are_closed_by_a_link(visitor):
    """Without a script it loads the page again, which has no message any more."""
    page = visitor.add("mug").text
    (link,) = re.findall(r'class="close" href="([^"]+)" data-close', page)

    assert "Barnacle mug: in your cart." in page
    assert link == "/"
    assert "data-close" not in visitor.get(link).text
