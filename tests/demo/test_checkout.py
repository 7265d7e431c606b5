"""Checking out takes a second factor, each time anew."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from demo.process import PageContent

STORES = ("sqlite", "postgres")


def confirm(visitor, code):
    return visitor.post("/checkout/code", data={"code": code})


def messages(answer):
    return PageContent(answer.text).messages


@pytest.fixture
def buyer(alice):
    alice.add("lamp")
    return alice


def test_the_right_code_buys_once(buyer):
    """The code makes a new session, which may order once; the cart is empty then."""
    before = buyer.look().id

    granted = confirm(buyer, buyer.code())
    bought = buyer.post("/checkout")
    buyer.add("mug")
    again = buyer.post("/checkout")

    assert "Order for €59.00" in granted.text
    assert any("Ordered for €59.00" in text for text in messages(bought))
    assert buyer.look().id != before
    assert "a new one each time" in again.text
    assert buyer.look().cart == {"Barnacle mug": 1}


def test_the_session_tells_its_factors_and_its_grant(buyer):
    """The panel shows what was given, and what it allows until it is spent."""
    confirm(buyer, buyer.code())
    granted = buyer.look().page

    buyer.post("/checkout")

    assert "<dd>password and totp</dd>" in granted
    assert "checkout, once, within 4 min" in granted
    assert "checkout, once" not in buyer.look().page


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "\uff11" * 6, "0" * 400])
def test_what_is_no_code_buys_nothing(buyer, code):
    """A code of any other shape is wrong, and nothing more."""
    refused = confirm(buyer, code)

    assert "not the code your authenticator shows" in refused.text
    assert "a new one each time" in buyer.post("/checkout").text


def test_a_wrong_code_buys_nothing(buyer):
    """Six other digits are refused, and the activity keeps that."""
    code = buyer.code()
    wrong = f"{(int(code) + 1) % 1_000_000:06}"

    refused = confirm(buyer, wrong)

    assert "not the code your authenticator shows" in refused.text
    assert buyer.activity()[0][0] == "Gave a code that was wrong"
    assert buyer.look().cart == {"Coral lamp": 1}


def test_a_code_works_once_for_its_user(shop, buyer):
    """Another session of the same user cannot use it again, on whichever server."""
    with shop.visitor() as other:
        other.log_in()
        other.add("mug")
        code = buyer.code()

        first = confirm(buyer, code)
        again = [confirm(other, code) for _ in range(2)]

    assert "Order for" in first.text
    assert all("used already" in answer.text for answer in again)
    assert not any("Order for" in answer.text for answer in again)


def test_of_many_clicks_one_orders(buyer):
    """Eight orders at once, through both servers, spend the one grant once."""
    confirm(buyer, buyer.code())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: buyer.post("/checkout"), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert [line[0] for line in buyer.activity()].count("Ordered for €59.00") == 1
    assert buyer.look().cart == {}


def test_a_stranger_is_sent_to_the_login(shop):
    """Without a login nothing is kept, and there is no page to type a code into."""
    with shop.visitor() as stranger:
        answers = [stranger.get("/checkout"), stranger.post("/checkout"), confirm(stranger, "1")]

        assert all(answer.url.fragment == "account" for answer in answers)
        assert not stranger.cookies


def test_an_empty_cart_is_not_bought(alice):
    """There is nothing to confirm while there is nothing to buy."""
    assert "There is nothing in your cart." in alice.get("/checkout").text
