"""Twenty requests at once, a logout meanwhile, a stopped store: real requests, on each store."""

import re

import httpx
import pytest

from demo.process import everywhere

STORES = ("sqlite", "lmdb", "redis", "postgres")
"""What becomes of requests at once, and of a stopped store, is asked of each."""


def tiles(page, who):
    """Return the state of each of the twenty, as the page shows it."""
    shown = page.partition(f'aria-label="{who} kept ')[2].partition("</ol>")[0]
    return re.findall(r'class="tile (\w+)"', shown)


@pytest.fixture
def stopped(shop, alice):
    """Alice with a lamp in her cart, while the store is stopped."""
    alice.add("lamp")
    alice.post("/store/stop")
    return alice


def test_sessile_keeps_all_twenty(shop, alice):
    """Through both servers, and the page says what the naive one kept, however many that are."""
    before = shop.members()

    page = alice.post("/experiments/twenty").text

    after = shop.members()
    ours, naive = re.search(r"sessile kept (\d+) of 20, the naive one (\d+) of 20\.", page).groups()
    assert int(ours) == 20
    assert tiles(page, "sessile") == ["kept"] * 20
    assert tiles(page, "The naive one").count("kept") == int(naive) > 0
    assert set(tiles(page, "The naive one")) <= {"kept", "lost"}
    assert ("lost nothing this time" in page) is (naive == "20")
    assert all(after[name]["requests"] - before[name]["requests"] >= 20 for name in "AB")
    numbers = re.search(r"<code>twenty</code></dt><dd><code>\[([^]]*)\]", alice.look().page)
    assert sorted(map(int, numbers.group(1).split(", "))) == list(range(1, 21))


def test_twenty_take_a_session(shop):
    """A stranger has none to keep a list in, gets none by the click, and is sent to the shelf."""
    with shop.visitor() as stranger:
        page = stranger.post("/experiments/twenty")

        assert "Put something into your cart first" in page.text
        assert "sessile kept" not in page.text
        assert stranger.post("/twenty/sessile", data={"number": "1"}).status_code == 409
        assert not stranger.cookies


@pytest.mark.parametrize("store", ["sessile", "naive"])
def test_another_number_is_refused(alice, store):
    """One of the twenty, or 400."""
    for number in ("", "0", "21", "-1", "1.0", "\u0661", "1" * 5000):
        assert alice.post(f"/twenty/{store}", data={"number": number}).status_code == 400, number


def test_a_logout_meanwhile_is_final(alice):
    """The slow request is answered, its change is dropped and told of, and nobody is logged in."""
    session = alice.look().id

    page = alice.post("/experiments/late").text

    assert "The session did not come back." in page
    assert f"<code>{session}</code>. The store holds no live session of that id." in page
    assert "was answered with 200, as if nothing had been: “1 piece in your cart”" in page
    assert "the event <code>Dropped</code> names the key <code>cart</code>" in page
    assert "you are a stranger" in page
    assert alice.me() == {"user": None, "cart": []}


def test_a_logout_meanwhile_takes_a_login(shop):
    """Who is nobody has nothing to log out of, and gets no session by trying."""
    with shop.visitor() as stranger:
        page = stranger.post("/experiments/late")

        assert "Nobody is logged in." in page.text
        assert stranger.post("/slow").status_code == 403
        assert not stranger.cookies


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/experiments"), ("GET", "/activity"), ("POST", "/cart/empty")],
)
def test_a_stopped_store_logs_nobody_out(shop, stopped, method, path):
    """Each page is 503 and says when to come back; after the start all is there."""
    answers = [stopped.request(method, path) for _ in range(4)]
    cookies = dict(stopped.cookies)

    page = stopped.post("/store/start")

    assert {answer.status_code for answer in answers} == {503}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in answers)
    assert not any("set-cookie" in answer.headers for answer in answers)
    assert all('action="/store/start"' in answer.text for answer in answers)
    assert all('aria-label="Pages"' in answer.text for answer in answers)
    assert "Nobody was logged out" in page.text
    assert cookies == dict(stopped.cookies)
    assert {look.user for look in everywhere(stopped).values()} == {"alice"}
    assert stopped.look().cart == {"Coral lamp": 1}


def test_a_stranger_needs_no_store(shop, stopped):
    """Who has no session is served, told of the switch, and cannot get a session meanwhile."""
    with shop.visitor() as stranger:
        page = stranger.get("/")
        login = stranger.log_in()

        assert (page.status_code, "The store is stopped" in page.text) == (200, True)
        assert (login.status_code, dict(stranger.cookies)) == (503, {})


def test_copies_are_offered_where_the_store_tells_what_changed(shop, alice):
    """Else there is no such button, an order by hand is refused, and servers show no figures."""
    offered = "Stop it and read on" in alice.get("/experiments").text

    answers = [alice.post("/store/stop", data={"readers": one}) for one in ("copies", "some")]
    pages = [alice.get("/") for _ in range(4)]
    alice.post("/store/start")

    assert offered is ("on postgresql://" not in shop.output)
    assert [answer.status_code for answer in answers] == [200 if offered else 400, 400]
    assert [page.status_code for page in pages] == [200] * 4
    assert all(("Pages come from copies" in page.text) is offered for page in pages)
    assert all((member["copies"] is not None) is offered for member in shop.members().values())


def test_experiments_are_for_this_machine(shop, alice):
    """Under a foreign name there are no buttons, and their orders are refused."""
    foreign = {"host": "rebound.example:8000"}
    orders = ["/experiments/twenty", "/experiments/late", "/store/stop", "/store/start"]

    page = alice.get("/experiments", headers=foreign).text
    refused = [alice.post(path, headers=foreign).status_code for path in orders]

    assert not any(f'action="{path}"' in page for path in orders)
    assert refused == [403, 403, 403, 403]
    assert httpx.get(shop.url).status_code == 200
    assert alice.me()["user"] == "alice"


def test_a_result_is_found_by_its_token_alone(alice):
    """Without it, or with another page's, there is the plain page."""
    theft = alice.steal().url.params["result"]

    pages = [alice.get("/experiments", params={"result": one}) for one in (theft, "x", "")]

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert not any('class="verdict"' in page.text for page in pages)
