"""Follow a login or a logout by code that knows nothing of ours. ``core.principal`` tells where."""

from sessile.core.identity import Intent
from sessile.core.mapping import Values
from sessile.service.transaction import Transaction
from sessile.wire.log import log_assumed_principal, log_likely_principal


def follow_principal(transaction: Transaction) -> None:
    """Wish for what ``login`` or ``logout`` would, where the values name another user than before.

    Where the request, or the login of this session, said itself who the user is, or who is half
    logged in, that alone counts. Behind a logout that is whom other code logs in after it, as with
    ``session.clear()`` in front of a login.

    Raises:
        ConfigError: what the values name cannot be a user's key.
    """
    principal, state = transaction.context.principal, transaction.state
    if principal is None or not state.values.has_written(principal.watched):
        return
    if not (state.undecided or state.intent is Intent.LOGOUT):
        return
    owner, pending = state.identity.owner, state.identity.pending
    shown = Values(transaction.opened.shown, transaction.context.codec)
    before = principal.user_in(shown) if state.undecided else None
    after = principal.user_in(state.values)
    if (pending is not None and state.now < pending.until) or owner not in {None, before}:
        return
    guess = principal.guess(state.values)
    if guess is not None and owner is None:
        log = log_likely_principal if after is None else log_assumed_principal
        log(guess)
    if before == after == owner:
        return
    state.follow(after, named=before)
    if after is not None and principal.user_in(state.values) != after:
        state.follow(None)  # it was changed in place, and so went with the other user's values
