"""What leaves in place of the application's answer: the answers to failures and refusals."""

import pytest

from sessile.errors import (
    LoginNeeded,
    LostRace,
    StepUpNeeded,
    StoreUnavailable,
    TokenNeeded,
    TooManySessions,
)
from sessile.web.refusal import REFUSED, refusal


def values(headers, name):
    return [value for key, value in headers if key.lower() == name]


@pytest.mark.parametrize(
    "error", [StoreUnavailable("redis://cache", "connection refused"), LostRace("k", attempts=128)]
)
def test_failed_store_is_told_as_503(error):
    """An outage is named as one, to be tried again; it says nothing of the inside."""
    answer = refusal(error)

    assert (answer.status, answer.reason) == (503, "Service Unavailable")
    assert ("retry-after", "1") in answer.headers
    assert ("cache-control", "no-store") in answer.headers
    assert ("content-length", str(len(answer.body))) in answer.headers
    assert not values(answer.headers, "set-cookie")
    assert answer.body == b"Sessions are unavailable for a moment; try again.\n"


def test_refused_login_is_told_as_403():
    """The limit of sessions is the user's affair: no outage, nothing to try again."""
    answer = refusal(TooManySessions(3))

    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert not values(answer.headers, "retry-after")


def test_missing_login_is_told_as_401_with_a_challenge():
    """A 401 names a scheme, and one that opens no dialog in a browser."""
    answer = refusal(LoginNeeded())

    assert (answer.status, answer.reason) == (401, "Unauthorized")
    assert values(answer.headers, "www-authenticate") == ["Session"]


@pytest.mark.parametrize("error", [StepUpNeeded(assurance=2), TokenNeeded()])
def test_what_a_login_does_not_help_is_told_as_403(error):
    """Somebody is logged in: another challenge would be a lie."""
    answer = refusal(error)

    assert (answer.status, answer.reason) == (403, "Forbidden")
    assert not values(answer.headers, "www-authenticate")


def test_every_refused_error_has_words_of_its_own():
    """Whatever the middlewares catch is answered in words that fit it."""
    made = {
        StoreUnavailable: ("redis://cache", "refused"),
        TooManySessions: (3,),
    }
    told = {
        kind: refusal(LostRace("k", attempts=1) if kind is LostRace else kind(*made.get(kind, ())))
        for kind in REFUSED
    }

    assert len({answer.body for answer in told.values()}) == len(REFUSED) - 1  # two are a 503
