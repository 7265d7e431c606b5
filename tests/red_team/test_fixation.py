"""Fixation: the attacker chooses or knows the id that the victim will log in with."""

from harness.handlers import logs_in, names, puts, reads, who
from harness.sites import serve
from mutations.defences import ids_are_adopted, predecessors_live_on, refusals_are_not_told
from red_team.attack import events_of, weakened_by
from sessile import Cookie
from sessile.core.ticket import NoTicket, Ticket
from sessile.service import commit
from sessile.service.events import RefusalReason, Refused
from sessile.service.transaction import CommitOutcome
from sessile.stores.contract import Change

PLANTED = Ticket.mint(bytes(range(45)))


def hosted(interface, url):
    """Serve with the default cookie, which the other sites here cannot have without https."""
    return serve(interface, url, cookie=Cookie())


@weakened_by(ids_are_adopted, refusals_are_not_told)
def test_a1_chosen_id_is_not_adopted(site):
    """An id that the client brought names no session, not by a value and not by a login."""
    planted = f"sid={PLANTED.reveal()}"
    for act in (puts(v=1), logs_in):
        issued = site.ask(act, planted).cookie

        assert issued[:24] != planted[:24]
        assert site.ask(reads, planted).json == {}
        assert site.ask(who, planted).json is None
    assert RefusalReason.UNKNOWN in {event.reason for event in events_of(site, Refused)}


def logins_stay_in_place(patch):
    """The login goes on under the ticket that the visitor had."""
    whole = commit.regenerate

    async def in_place(transaction, now):
        context, opened = transaction.context, transaction.opened
        old, owner = opened.record, transaction.state.identity.owner
        if old is None:
            return await whole(transaction, now)
        again, _ = context.sealer.seal(
            old, opened.values, frozenset(), owner=owner, version=old.version + 1
        )
        await context.store.commit(Change(again, old.version, again.data))
        return CommitOutcome(again, opened.ticket)

    patch.setattr(commit, "regenerate", in_place)


@weakened_by(logins_stay_in_place, predecessors_live_on)
def test_a2_known_anonymous_id_is_worth_nothing_after_login(site):
    """An id that we issued, and the attacker planted, is dead once its bearer logs in."""
    planted = site.ask(puts(cart=["hat"])).cookie
    issued = site.ask(logs_in, planted).cookie

    assert site.ask(who, planted).json is None
    assert site.ask(reads, planted).json == {}
    assert issued[4:24] != planted[4:24]
    assert issued[24:] != planted[24:]
    assert site.ask(who, issued).json == "alice"


def first_of_two_is_taken(patch):
    """Of two cookies of one name the first counts, as in most readers."""
    find = Cookie.find

    def first(cookie, header):
        found = find(cookie, header)
        if found is not NoTicket.AMBIGUOUS:
            return found
        return header.partition(f"{cookie.full_name}=")[2].partition(";")[0]

    patch.setattr(Cookie, "find", first)


def names_end_alike(patch):
    """A cookie whose name merely ends like ours, prefix dropped, is taken for it."""
    find = Cookie.find

    def loosely(cookie, header):
        bare = cookie.full_name.removeprefix("__Host-")
        return find(cookie, header.replace(f"{bare}=", f"{cookie.full_name}=").replace(
            f"__Host-{cookie.full_name}", cookie.full_name
        ))  # fmt: skip

    patch.setattr(Cookie, "find", loosely)


def default_names_are_bare(patch):
    """The default name promises the browser nothing, so that a sibling host can set it too."""
    patch.setattr(Cookie, "_default_name", lambda cookie: "sid")


@weakened_by(first_of_two_is_taken, names_end_alike, serve=hosted)
def test_a3_sibling_host_cannot_plant_a_cookie(site):
    """Beside ours another cookie changes nothing; one that stands under our name is refused."""
    mine, theirs = site.ask(logs_in).cookie, site.ask(logs_in).cookie
    bare = theirs.removeprefix("__Host-")

    assert mine.startswith("__Host-sid=")
    for header in (f"{bare}; {mine}", f"{mine}; {bare}"):
        reply = site.ask(names, header)
        assert (reply.json, reply.set_cookie) == (mine[11:31], None)
    for header in (f"{theirs}; {mine}", f"{mine}; {theirs}", f"{mine}; {mine}"):
        reply = site.ask(who, header)
        assert (reply.json, reply.set_cookie) == (None, None)
    assert {event.reason for event in events_of(site, Refused)} == {RefusalReason.AMBIGUOUS}


@weakened_by(default_names_are_bare, serve=hosted)
def test_a3_default_cookie_is_one_that_browsers_take_from_this_host_alone(site):
    """The default cookie is ``__Host-``: Secure, from the root, without a Domain."""
    ours = site.ask(logs_in).set_cookie

    assert ours.startswith("__Host-sid=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(ours.split("; "))
    assert "domain" not in ours.lower()
