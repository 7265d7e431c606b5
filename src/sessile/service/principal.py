"""Follow a login or a logout by code that knows nothing of ours. ``core.principal`` tells where."""

from sessile.core.identity import Intent
from sessile.core.state import SessionState
from sessile.service.context import Context
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
    context, state = transaction.context, transaction.state
    named = _find_users(context, state)
    if named is None or context.principal is None:
        return
    before, after = named
    owner = state.identity.owner
    guess = context.principal.guess(state.values)
    if guess is not None and owner is None:
        log = log_likely_principal if after is None else log_assumed_principal
        log(guess)
    if before == after == owner:
        return
    state.follow(after, named=before)
    if after is not None and context.principal.user_in(state.values) != after:
        state.follow(None)  # it was changed in place, and so went with the other user's values


def is_login_by_other_code(context: Context, state: SessionState) -> bool:
    """Tell whether the commit is to find a login that nobody has told us of, as it looks now."""
    named = _find_users(context, state)
    return named is not None and named[1] is not None and not set(named) <= {state.identity.owner}


def _find_users(context: Context, state: SessionState) -> tuple[str | None, str | None] | None:
    """Return whom the values named before and whom they name now; None where neither counts."""
    principal = context.principal
    if principal is None or not state.values.has_written(principal.watched):
        return None
    if not (state.undecided or state.intent is Intent.LOGOUT):
        return None
    owner, pending = state.identity.owner, state.identity.pending
    before = principal.user_in(state.values.as_stored()) if state.undecided else None
    after = principal.user_in(state.values)
    if (pending is not None and state.now < pending.until) or owner not in {None, before}:
        return None
    return before, after
