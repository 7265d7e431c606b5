"""Mutations of what notices a login by other code."""

from mutations.service.registry import Table
from sessile.core.mapping import Values
from sessile.core.principal import WELL_KNOWN
from sessile.core.session import Session
from sessile.core.session_values import SessionValues
from sessile.core.state import SessionState
from sessile.service import commit, principal
from sessile.service.options import principal_of
from sessile.testing.promises.principals import clears, clears_first, removes
from sessile.testing.promises.stories import logs_in, reads

MUTATIONS = Table(AssertionError, KeyError, ValueError)
breaks = MUTATIONS.breaks


@breaks("login_by_other_code_renews_the_id", user="42")
@breaks("login_by_other_code_is_listed")
@breaks("logout_by_other_code_ends_the_session", leaves=removes)
@breaks("rivals_of_a_login_by_other_code", rival=reads)
@breaks("function_says_who_is_logged_in")
def values_say_nothing(patch):
    patch.setattr(commit, "follow_principal", lambda transaction: None)


@breaks(
    "login_behind_a_logout_is_a_login",
    begins=logs_in("alice"), logs_in_anew=clears_first, user="bob",
)  # fmt: skip
def logouts_overrule_logins(patch):
    def follow(transaction):
        if transaction.state.undecided:
            principal.follow_principal(transaction)

    patch.setattr(commit, "follow_principal", follow)


@breaks("key_that_was_there_unheeded_counts_when_it_is_written")
def owners_alone_have_values(patch):
    follow = SessionState.follow
    patch.setattr(SessionState, "follow", lambda state, user, **_: follow(state, user))


@breaks("logout_by_other_code_ends_the_session", leaves=clears)
@breaks("clear_ends_a_locked_session_too")
def cleared_sessions_stay_logged_in(patch):
    values_say_nothing(patch)
    patch.setattr(Session, "clear", SessionValues.clear)


@breaks("other_code_hands_nobody_the_values_of_another")
@breaks("what_a_logout_by_other_code_leaves_begins_a_new_session")
def values_go_on(patch):
    patch.setattr(Values, "keep_written", lambda values: None)


@breaks("what_a_login_says_counts_alone")
def values_overrule_logins(patch):
    def follow(transaction):
        where, state = transaction.context.principal, transaction.state
        user = where.user_in(state.values)
        if user is not None and user != state.identity.owner:
            state.follow(user)

    patch.setattr(commit, "follow_principal", follow)


@breaks("value_changed_in_place_names_nobody_else")
def values_changed_in_place_are_lost(patch):
    follow = SessionState.follow
    patch.setattr(
        SessionState, "follow", lambda state, user, **more: user and follow(state, user, **more)
    )


@breaks("switched_off_no_value_is_a_login")
def nothing_switches_it_off(patch):
    def follow(transaction):
        transaction.context.principal = transaction.context.principal or watched
        principal.follow_principal(transaction)

    watched = principal_of(WELL_KNOWN)
    patch.setattr(commit, "follow_principal", follow)


@breaks("same_user_by_other_code_is_no_login")
def writing_is_a_login(patch):
    def follow(transaction):
        state = transaction.state
        if state.undecided and "_user_id" in state.values._set:
            state.follow(state.values["_user_id"])

    patch.setattr(commit, "follow_principal", follow)
