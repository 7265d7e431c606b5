"""Mutations of logins that are sent twice: who is handed the newest one's ticket."""

from mutations.service.registry import Table
from sessile.core.policy import Policy
from sessile.core.ticket import Ticket
from sessile.service import open as opening
from sessile.service import regenerate, visitor
from sessile.service.tombstones import follow_retries
from sessile.testing.promises.retries import ONE, proves
from sessile.testing.world import ABROAD, HOME

MUTATIONS = Table()
breaks = MUTATIONS.breaks


@breaks("login_sent_twice_logs_nobody_out")
@breaks("ticket_of_an_overtaken_login_is_exchanged", policy=Policy())
@breaks("ticket_of_an_overtaken_login_is_exchanged", policy=ONE)
def overtaken_logins_are_over(patch):
    patch.setattr(opening, "retry_of", lambda record: None)


@breaks("servers_with_other_newest_secrets_exchange_it")
def overtaken_logins_are_known_under_the_newest_secret(patch):
    whole = Ticket.retry
    newest = []

    def retry(ticket, key, secret):
        newest.append(secret)
        return whole(ticket, key, newest[0] if len(newest) == 1 else bytes(32))

    patch.setattr(Ticket, "retry", retry)


@breaks("exchanged_ticket_turns_like_any_other")
def exchanged_tickets_are_the_first(patch):
    whole = opening.judge_retry

    def judge(ticket, record, *more):
        return whole(ticket, record, *more) if ticket.proves(record.digest) else None

    patch.setattr(opening, "judge_retry", judge)


@breaks("overtaken_login_is_a_used_ticket_after_the_grace")
def overtaken_tickets_have_no_grace(patch):
    patch.setattr(opening, "judge_retry", lambda ticket, *_: ticket)


@breaks("nobody_rises_by_a_login_made_again", retry=proves("password", "totp"), peer=HOME)
@breaks("nobody_rises_by_a_login_made_again", retry=proves("password", assurance=2), peer=HOME)
@breaks("nobody_rises_by_a_login_made_again", retry=proves("password"), peer=ABROAD)
def every_login_of_a_user_is_the_same(patch):
    patch.setattr(regenerate, "_is_same_login", lambda it, base: base.lost)


@breaks("overtaken_login_is_found_by_another_one")
def overtaken_logins_are_forgotten(patch):
    patch.setattr(visitor, "login_of", lambda record: None)


@breaks("overtaken_login_that_was_ended_is_no_stale_request")
def ended_logins_leave_stale_requests(patch):
    async def follow(context, ticket, record, now):
        after, newest = await follow_retries(context, ticket, record, now)
        return after, record if newest is None else newest

    patch.setattr(opening, "follow_retries", follow)


@breaks("logout_ends_the_newest_of_a_login_sent_twice")
def late_logouts_end_nothing(patch):
    patch.setattr(visitor, "replacement_of", lambda record: None)
