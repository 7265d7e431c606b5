"""Follow a login or a logout by code that knows nothing of ours. ``core.principal`` tells where."""

from sessile.core.mapping import Values
from sessile.service.transaction import Transaction
from sessile.wire.log import log_assumed_principal, log_likely_principal


def follow_principal(transaction: Transaction) -> None:
    """Wish for what ``login`` or ``logout`` would, where the values name another user than before.

    Where the request, or the login of this session, said itself who the user is, or who is half
    logged in, that alone counts.

    Raises:
        ConfigError: what the values name cannot be a user's key.
    """
    principal, state = transaction.context.principal, transaction.state
    if principal is None or not (state.values.has_written(principal.watched) and state.undecided):
        return
    owner, pending = state.identity.owner, state.identity.pending
    shown = Values(transaction.opened.shown, transaction.context.codec)
    before, after = principal.user_in(shown), principal.user_in(state.values)
    if pending is not None or owner not in {None, before}:
        return
    guess = principal.guess(state.values)
    if guess is not None and owner is None:
        log = log_likely_principal if after is None else log_assumed_principal
        log(guess)
    if before == after:
        return
    state.follow(after)
    if after is not None and principal.user_in(state.values) != after:
        state.follow(None)  # it was changed in place, and so went with the other user's values
