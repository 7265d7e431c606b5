"""Mutations of what is known of a client with two addresses."""

import msgspec

from mutations.service.registry import Table
from sessile.core.binding import Binding, OnMismatch
from sessile.core.record import Record, evolve, other_address
from sessile.service import regenerate, save
from sessile.testing.promises.stories import unlocks
from sessile.testing.world import HOME

MUTATIONS = Table()
breaks = MUTATIONS.breaks
THEFT = {"mismatch": OnMismatch.RECORD, "thief_first": True}


@breaks("second_face_of_a_client_is_told_once", mismatch=OnMismatch.RECORD)
@breaks("second_face_of_a_client_is_told_once", mismatch=OnMismatch.ROTATE)
@breaks("second_face_is_written_down_with_the_next_save")
@breaks("killed_browser_is_known_by_its_second_face")
def one_address_is_known(patch):
    whole = Binding.holds
    patch.setattr(Binding, "holds", lambda self, bound, came, other="": whole(self, bound, came))


@breaks("third_place_is_another_client", first=HOME, peer="2001:db8:9::1")
def families_are_not_compared(patch):
    whole = Binding._same_place
    patch.setattr(
        Binding,
        "_same_place",
        lambda self, bound, came: ":" in came or whole(self, bound, came),
    )


@breaks("other_browser_at_the_second_address_is_another_client")
def other_address_takes_any_browser(patch):
    whole = Binding.holds

    def holds(self, bound, came, other=""):
        return whole(self, bound, came, other) or came.address == other

    patch.setattr(Binding, "holds", holds)


@breaks("thief_at_the_other_family_shows_when_the_ticket_turns", late=30.0, **THEFT)
@breaks("thief_at_the_other_family_shows_when_the_ticket_turns", late=91.0, **THEFT)
@breaks("request_in_flight_from_the_second_face_is_handed_nothing")
def every_place_is_settled(patch):
    patch.setattr(Record, "settled_address", property(lambda self: self.other_address))


@breaks("killed_browser_is_known_by_its_second_face")
def no_place_settles(patch):
    patch.setattr(Record, "settled_address", property(lambda self: ""))


@breaks("servers_whose_clocks_differ_vouch_for_no_place_too_early")
def clocks_are_the_same(patch):
    whole = save._draft

    def draft(transaction, now, attempt):
        record = attempt.record
        if attempt.successor is not None and record.moved and record.moved < record.rotated:
            attempt = msgspec.structs.replace(attempt, record=evolve(record, moved=None))
        return whole(transaction, now, attempt)

    patch.setattr(save, "_draft", draft)


@breaks("second_face_proves_once", proves=unlocks)
def step_ups_forget_where_it_was(patch):
    patch.setattr(regenerate, "_other_address", lambda transaction, old: "")


@breaks("thiefs_place_is_not_taken_along_by_a_step_up")
def step_ups_vouch_for_every_place(patch):
    patch.setattr(
        regenerate,
        "_other_address",
        lambda transaction, old: old and other_address(old, transaction.client),
    )
