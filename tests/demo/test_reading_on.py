"""Near caches in the demo: their figures, and pages from copies while the store is stopped."""

import re

import pytest

from demo.process import everywhere, wait_for

COPIES = {"readers": "copies"}


def figures(demo):
    """Return how many reads each server has served from copies, and of how many."""
    found = {name: member["copies"] for name, member in demo.members().items()}
    return {
        name: tuple(map(int, re.findall(r"\d+", text or "0 0"))) for name, text in found.items()
    }


@pytest.fixture
def cart(visitor):
    """Alice with a lamp in her cart."""
    visitor.log_in()
    visitor.add("lamp")
    return visitor


@pytest.fixture
def reader(cart):
    """The same, while the store is stopped and she reads on."""
    cart.post("/store/stop", data=COPIES)
    return cart


def test_reads_are_served_from_copies(demo, cart):
    """Each server counts; whoever only reads is served from copies once there are some."""
    before = figures(demo)
    for _ in range(20):
        cart.me()

    wait_for(lambda: sum(hits for hits, _ in figures(demo).values()) > 9)
    after = figures(demo)
    assert all(after[name] >= before[name] for name in before)
    assert all(hits <= reads for hits, reads in after.values())


def test_heartbeat_of_the_feed_is_told(demo, cart):
    """Milliseconds while the store runs, silence while it is stopped, and then again."""

    def all_heard(pattern):
        members = demo.members().values()
        return all(re.fullmatch(pattern, member["heard"] or "") for member in members)

    wait_for(lambda: all_heard(r"\d+ ms ago"))
    cart.post("/store/stop")
    wait_for(lambda: all_heard("silent"))
    cart.post("/store/start")
    wait_for(lambda: all_heard(r"\d+ ms ago"))


@pytest.mark.parametrize("path", ["/", "/experiments", "/activity", "/theft", "/checkout", "/none"])
def test_pages_that_read_are_served_while_the_store_is_stopped(demo, reader, path):
    """By every server, with what is in the session, whose cookies stay; and it is said so."""
    pages = [reader.get(path) for _ in range(4)]

    assert {page.status_code for page in pages} == {404 if path == "/none" else 200}
    told = [header for page in pages for header in page.headers.get_list("set-cookie")]
    assert [header for header in told if not header.startswith("sessile-route=")] == []
    assert all("Pages come from copies" in page.text for page in pages)
    assert all('aria-label="Cart: 1 piece"' in page.text for page in pages)


def test_what_the_store_alone_knows_is_not_known(demo, reader):
    """Of devices and of trails no server has a copy: the page says so instead of failing."""
    look, activity = reader.look(), reader.get("/activity").text

    assert (look.user, look.cart, look.devices) == ("alice", {"Coral lamp": 1}, [])
    assert "Not known while the store is stopped." in look.page
    assert "Not known while the store is stopped." in activity


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/cart/add", {"item": "mug"}),
        ("/settings", {"theme": "dark", "currency": "USD"}),
        ("/devices/end-others", {}),
        ("/experiments/twenty", {}),
        ("/experiments/late", {}),
        ("/theft", {"way": "elsewhere"}),
        ("/logout", {}),
    ],
)
def test_what_would_be_stored_is_refused_in_words(demo, reader, path, form):
    """503 and when to come back; once the store is there again all is as it was."""
    answer = reader.post(path, data=form)
    reader.post("/store/start")

    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "nothing can be stored" in answer.text
    assert {look.user for look in everywhere(reader).values()} == {"alice"}
    assert reader.look().cart == {"Coral lamp": 1}
    assert 'data-theme="system"' in reader.look().page


def test_messages_wait_for_the_store(demo, cart):
    """One that nobody has seen is shown once it can be taken."""
    cart.post("/cart/add", data={"item": "mug"}, follow_redirects=False)
    cart.post("/store/stop", data=COPIES)

    during = [cart.look().messages for _ in range(2)]
    after = cart.post("/store/start").text

    assert during == [[], []]
    assert "Barnacle mug: in your cart." in after


def test_copies_end_with_the_outage(demo, cart):
    """A session that was ended just after is over on every server, whatever copies there are."""
    with demo.visitor() as other:
        other.log_in()
        other.post("/store/stop", data=COPIES)
        assert other.me()["user"] == "alice"
        cart.post("/store/start")

        cart.post("/devices/end-others")

        assert [other.me()["user"] for _ in range(4)] == [None] * 4
