"""Let through who may go on, and tell of those who may not. ``web`` makes ``require`` of it."""

from sessile.core.request import Request
from sessile.core.require import require
from sessile.core.session import Session
from sessile.core.ticket import Key
from sessile.core.value import Seconds
from sessile.errors import LoginNeeded, StepUpNeeded
from sessile.service.clients import glimpsed
from sessile.service.events import Denied, Need
from sessile.service.grants import spend_grant
from sessile.service.parts import Parts


async def admit(
    parts: Parts,
    request: Request,
    session: Session,
    *,
    assurance: int,
    fresh: Seconds | None,
    purpose: str | None,
) -> None:
    """Return if the session's user may go on, with the grant for the purpose spent.

    Raises:
        LoginNeeded: nobody is logged in.
        StepUpNeeded: somebody is, not well or recently enough, or without a grant.
    """
    try:
        require(session, assurance=assurance, fresh=fresh)
        if purpose is not None:
            await spend_grant(parts, session, purpose)
    except (LoginNeeded, StepUpNeeded) as error:
        key = None if session.record is None else Key(session.record.key)
        client = glimpsed(parts, request)
        parts.tell(Denied(parts.clock(), key, _need(error), session.user, client=client))
        raise


def _need(error: LoginNeeded | StepUpNeeded) -> Need:
    if isinstance(error, LoginNeeded):
        return Need.LOGIN
    if error.assurance is not None:
        return Need.ASSURANCE
    return Need.FRESHNESS if error.fresh is not None else Need.GRANT
