"""Two addresses: a client that alternates between IPv4 and IPv6, and a thief who does."""

from harness.handlers import logs_in, who
from mutations.service.two_addresses import every_place_is_settled
from red_team.attack import events_of, weakened_by
from sessile import Policy, Proxies, minutes
from sessile.service.events import Mismatched, Replayed

VICTIM, THIEF = "203.0.113.7", "2001:db8::66"
PROXIES = Proxies(trusted=["127.0.0.1"])


def by(address):
    """Return the header that our proxy sends on."""
    return [("X-Forwarded-For", address)]


@weakened_by(every_place_is_settled, policy=Policy(rotate=minutes(15)), proxies=PROXIES)
def test_a68_thief_at_the_other_family_is_told_and_found_out(site):
    """Who comes with a copy over the other family is told, and shows when the ticket turns."""
    stolen = site.ask(logs_in, headers=by(VICTIM)).cookie
    for address in (THIEF, VICTIM, THIEF, VICTIM):
        assert site.ask(who, stolen, headers=by(address)).json == "alice"
    assert len(events_of(site, Mismatched)) == 1

    site.clock.advance(minutes(15) + 1)
    turned = site.ask(who, stolen, headers=by(VICTIM)).cookie
    assert site.ask(who, turned, headers=by(VICTIM)).json == "alice"
    site.clock.advance(minutes(2))
    assert site.ask(who, stolen, headers=by(THIEF)).json is None
    assert events_of(site, Replayed)
