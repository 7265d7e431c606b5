"""A stolen session: what the thief gets, what the owner sees next. Real requests.

The thief comes from 127.66.0.66, an address of another network that is this machine as well.
"""

import json
import re
from html import unescape

import httpx
import pytest

from demo.process import PageContent, Visitor, everywhere

STORES = ("sqlite",)
"""The pages are the same on each; what a thief gets is asked of every store in ``red_team``."""

THIEF = ("curl", "127.66.0.66")
OWNER = ("Firefox on Linux", "127.0.0.1")


def test_step_up_turns_the_thief_away(alice):
    """The default: the thief holds a locked session, and the owner notices a line, no more."""
    alice.add("mug")

    page = alice.steal().text

    assert "The thief got nothing" in page
    assert "another client presented its ticket" in page  # what the shop told the thief
    assert alice.me() == {"user": "alice", "cart": ["Barnacle mug"]}
    assert alice.activity() == [("Another client was turned away", *THIEF), ("Logged in", *OWNER)]


def test_record_lets_the_thief_in_and_tells(alice):
    """The session goes on for both; each move from client to client is a line."""
    alice.add("mug")
    alice.policy("record")

    page = alice.steal().text

    assert "The thief got in" in page
    assert "Barnacle mug" in page
    assert alice.me()["user"] == "alice"
    assert alice.activity()[:2] == [
        ("Went on from another client", *OWNER),
        ("Went on from another client", *THIEF),
    ]


def test_rotate_gives_the_thief_a_newer_ticket(alice):
    """The ticket turns for who came; the owner is handed it as well, or takes the next turn."""
    ticket = alice.cookies["sid"]
    alice.policy("rotate")

    page = alice.steal().text

    assert "The thief got in" in page
    assert "200, and a newer ticket" in page
    assert alice.me()["user"] == "alice"
    assert alice.cookies["sid"] != ticket


def test_end_ends_the_session_and_keeps_the_evidence(shop, alice):
    """Thief and owner are both out, on every server; who logs in again is told and shown why."""
    session = alice.look().id
    alice.policy("end")

    page = alice.steal().text
    looks = everywhere(alice)
    back = PageContent(alice.log_in().text)
    activity = alice.get("/activity").text

    assert "The thief got nothing" in page
    assert "ended, for everybody" in page
    assert {look.user for look in looks.values()} == {None}
    assert all("a session that has ended" in look.messages[0] for look in looks.values())
    assert back.user == "alice"
    assert any("ended for theft" in text for text in back.messages)
    assert f"<code>{session}</code>" in activity
    assert alice.evidence()[0] == ("Ended: another client presented its ticket", *THIEF)
    assert not any("ended for theft" in text for text in PageContent(alice.log_in().text).messages)


@pytest.mark.parametrize("policy", ["record", "rotate", "step_up", "end"])
def test_whoever_runs_ahead_is_given_away(alice, policy):
    """No binding tells a perfect copy, but the owner's next click is a replay: both are out."""
    alice.policy(policy)

    page = alice.steal("ahead").text
    after = alice.me()["user"]
    alice.log_in()

    assert "The thief got in" in page
    assert page.count("303, and a newer ticket") == 1
    assert after is None
    assert alice.evidence()[0] == ("Ended: a used ticket came back", *OWNER)


def told(page, who):
    """Return what the page says that somebody saw, as key to JSON."""
    shown = page.partition(f"<h2>{who}</h2>")[2].partition("</dl>")[0]
    pairs = re.findall(r"<dt><code>(\w+)</code></dt><dd><code>(.*?)</code></dd>", shown)
    return {key: json.loads(unescape(value)) for key, value in pairs}


@pytest.mark.parametrize(
    ("policy", "thief", "owner", "action"),
    [
        ("record", "alice", "alice", "noticed another client and let it in"),
        ("rotate", "alice", "alice", "let it in, and turned the ticket"),
        ("step_up", None, "alice", "noticed another client and locked it out"),
        ("end", None, None, "noticed another client and ended the session"),
    ],
)
def test_thief_and_owner_stand_side_by_side(alice, policy, thief, owner, action):
    """What each of them saw, and what the shop did, under each policy."""
    alice.add("mug")
    alice.policy(policy)

    page = alice.steal().text

    seen, own = told(page, "What the thief saw"), told(page, "What you see now")
    cart = {None: [], "alice": ["Barnacle mug"]}
    assert (seen["user"], seen["cart"]) == (thief, cart[thief])
    assert (own["user"], own["cart"]) == (owner, cart[owner])
    assert own == alice.me()
    assert action in page
    assert "The policy did nothing" not in page


@pytest.mark.parametrize("policy", ["record", "end"])
def test_a_policy_that_did_nothing_is_not_praised(alice, policy):
    """A perfect copy is noticed by no policy: it is the ticket that tells, and the page says so."""
    alice.policy(policy)

    page = alice.steal("ahead").text

    assert "The policy did nothing" in page
    assert "The ticket told." in page
    assert "noticed another client" not in page
    assert told(page, "What the thief saw")["user"] == "alice"
    assert told(page, "What you see now")["user"] is None


def test_a_result_that_is_loaded_again_steals_nothing(alice):
    """The page of a theft is a page: who reloads it is not robbed twice."""
    place = alice.steal().url
    lines = alice.activity()

    again = alice.get(place)

    assert "The thief got nothing" in again.text
    assert alice.activity() == lines


def test_the_evidence_is_for_its_owner_alone(shop, alice):
    """Another user's activity tells nothing of it."""
    session = alice.look().id
    alice.policy("end")
    alice.steal()
    with shop.visitor() as bob:
        bob.log_in("bob", "sponge-and-bucket")

        assert session not in bob.get("/activity").text
        assert "ended for theft" not in bob.get("/activity").text


def test_no_page_shows_the_ticket(alice):
    """Neither what a theft came to nor any other page holds the cookie, and no script reads it."""
    cookie = alice.log_in().history[0].headers["set-cookie"]
    ticket = alice.cookies["sid"]
    alice.policy("rotate")

    pages = [alice.steal().text, alice.get("/").text, alice.get("/activity").text]
    pages += [alice.steal("ahead").text, alice.get("/me").text, alice.get("/theft").text]

    assert "HttpOnly" in cookie
    assert not any(ticket in page or ticket[20:] in page for page in pages)
    assert not any(re.search(r"[\w-]{60}", page) for page in pages)  # nor a newer one


def test_a_locked_session_opens_with_the_password(shop, alice):
    """Who comes with the ticket from another browser is asked for one factor, and then goes on."""
    alice.add("mug")
    with shop.visitor(**{"user-agent": "Mozilla/5.0 (iPhone) Safari/605"}) as phone:
        phone.cookies.update(alice.cookies)
        locked = phone.look()
        phone.add("lamp")
        wrong = phone.post("/unlock", data={"password": "sponge-and-bucket"}).text
        still = phone.me()
        right = phone.post("/unlock", data={"password": "looking-glass"}).text

        assert (locked.user, locked.id, locked.cart) == (None, None, {})
        assert "Locked: the session of alice" in locked.page
        assert "That is not the password." in wrong
        assert still == {"user": None, "cart": [], "locked": "another client presented its ticket"}
        assert "Unlocked: your session goes on here" in right
        assert phone.me() == {"user": "alice", "cart": ["Barnacle mug"]}
        assert phone.activity()[0][0] == "Unlocked with a password"
    assert alice.me()["user"] is None  # one session, one client


def test_nobody_chooses_their_own_address(shop, alice):
    """What a client says of where it comes from is dropped at the door, in every spelling."""
    forged = {
        "x-forwarded-for": "203.0.113.9", "x_forwarded_for": "203.0.113.9",
        "forwarded": "for=203.0.113.9", "x-real-ip": "203.0.113.9",
    }  # fmt: skip
    alice.policy("end")

    for name, value in forged.items():
        assert alice.get("/me", headers={name: value}).json()["user"] == "alice"
    alice.post("/login", data={"username": "alice", "password": "looking-glass"}, headers=forged)

    page = alice.get("/").text + alice.get("/activity").text
    assert "203.0.113.9" not in page
    assert "from 127.0.0.1" in page


def test_the_owner_may_not_come_from_the_thiefs_address_either(shop, alice):
    """The address alone is enough to notice: the same browser, from another network."""
    elsewhere = httpx.HTTPTransport(local_address=THIEF[1])
    with Visitor(shop.url) as copy, httpx.Client(transport=elsewhere, base_url=shop.url) as client:
        answer = client.get(
            "/me",
            headers={
                "cookie": f"sid={alice.cookies['sid']}",
                "user-agent": copy.headers["user-agent"],
            },
        )

    assert answer.json()["locked"] == "another client presented its ticket"


def test_a_theft_takes_somebody_to_steal_from(shop):
    """A stranger's session moves with its client: there is nothing to show, and nothing is kept."""
    with shop.visitor() as stranger:
        page = stranger.steal()

        assert "Log in first" in page.text
        assert 'name="way"' not in page.text
        assert not stranger.cookies


@pytest.mark.parametrize(
    ("path", "data"), [("/theft", {"way": "by night"}), ("/policy", {"policy": "mercy"})]
)
def test_what_cannot_be_chosen_is_refused(alice, path, data):
    """A way or a policy that nobody offers is 400."""
    assert alice.post(path, data=data).status_code == 400


def test_an_unknown_choice_is_the_default(alice):
    """A cookie with another word than ours leaves the policy as it is."""
    alice.cookies.set("policy", "mercy")

    assert "The thief got nothing" in alice.steal().text


def test_the_ticket_turns_on_demand(alice):
    """A new cookie for the same session."""
    before, ticket = alice.look().id, alice.cookies["sid"]

    alice.post("/turn")

    assert alice.look().id == before
    assert alice.cookies["sid"] != ticket
    assert alice.activity()[0] == ("Turned the ticket", *OWNER)


def test_activity_is_of_all_sessions_of_the_user(shop):
    """Newest first, each with its device and address; another session's lines are not marked."""
    with shop.visitor() as desk, shop.visitor(**{"user-agent": "curl/8.0"}) as other:
        desk.log_in("carol", "silent-night")
        desk.post("/devices/end-others")
        other.log_in("carol", "silent-night")

        assert desk.activity() == [("Logged in", "curl", "127.0.0.1"), ("Logged in", *OWNER)]
        assert desk.get("/activity").text.count(">this session<") == 1


def test_a_stranger_has_no_activity(shop):
    """Nothing is shown and nothing is kept."""
    with shop.visitor() as stranger:
        assert "There is nothing to show yet." in stranger.get("/activity").text
        assert not stranger.cookies
