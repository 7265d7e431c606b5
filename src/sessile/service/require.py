"""Let through who may go on, use up a step-up's grant, and tell of those turned away.

``core.require`` decides; ``web`` makes ``require`` of ``authorize``.
"""

from sessile.core.record import Record, RecordKind
from sessile.core.request import Request
from sessile.core.require import require
from sessile.core.session import Session, state_of
from sessile.core.ticket import Key
from sessile.core.value import Instant, Seconds
from sessile.errors import LoginNeeded, LostRace, StepUpNeeded
from sessile.service.clients import peek_client
from sessile.service.context import Context
from sessile.service.events import Denied, GrantUsed, Need
from sessile.service.open import ATTEMPTS
from sessile.stores.contract import Change, Committed


async def authorize(
    context: Context,
    request: Request,
    session: Session,
    *,
    assurance: int,
    fresh: Seconds | None,
    purpose: str | None,
) -> None:
    """Return if the session's user may go on, with the grant for the purpose used up.

    Raises:
        LoginNeeded: nobody is logged in.
        StepUpNeeded: somebody is, not well or recently enough, or without a grant.
    """
    try:
        require(session, assurance=assurance, fresh=fresh)
        if purpose is not None:
            await use_grant(context, session, purpose)
    except (LoginNeeded, StepUpNeeded) as error:
        record = state_of(session).record
        key = None if record is None else Key(record.key)
        client = peek_client(context, request)
        context.emit(Denied(context.clock(), key, _need(error), session.user, client=client))
        raise


async def use_grant(context: Context, session: Session, purpose: str) -> None:
    """Use up a grant, in the store, before anything is done for its sake: once, whoever races.

    Raises:
        LostRace: rivals changed the session under every one of many attempts.
        StepUpNeeded: there is no such grant, it is too old, or somebody was faster.
        StoreUnavailable: nobody can tell.
    """
    state, now = state_of(session), context.clock()
    record = state.record
    for _ in range(ATTEMPTS):
        if record is None or not _has_grant(context, record, session.user, purpose, now):
            raise StepUpNeeded(purpose=purpose)
        rest = {name: until for name, until in record.grants.items() if name != purpose}
        draft, written = context.sealer.seal(
            record, {}, frozenset(), version=record.version + 1, grants=rest
        )
        result = await context.store.commit(Change(draft, record.version, written))
        if isinstance(result, Committed):
            state.forget_grant(purpose, draft.version)
            context.emit(GrantUsed(now, Key(record.key), record.owner, purpose))
            return
        record = context.newest(result)
    raise LostRace(session.id, attempts=ATTEMPTS)


def _has_grant(
    context: Context, record: Record, user: str | None, purpose: str, now: Instant
) -> bool:
    """Tell whether that record, of the session in hand, has the grant."""
    if record.kind is not RecordKind.SESSION or record.owner is None or record.owner != user:
        return False
    if not context.policy.lives(record, now) or context.policy.is_locked(record, now):
        return False
    return now < record.grants.get(purpose, 0.0) and context.unseal(record, now) is not None


def _need(error: LoginNeeded | StepUpNeeded) -> Need:
    if isinstance(error, LoginNeeded):
        return Need.LOGIN
    if error.assurance is not None:
        return Need.ASSURANCE
    return Need.FRESHNESS if error.fresh is not None else Need.GRANT
