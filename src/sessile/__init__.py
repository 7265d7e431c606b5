"""HTTP sessions that are right. The public names, and nothing else."""

from sessile.core.binding import AddressMatch, AgentMatch, Binding, OnMismatch
from sessile.core.carrier import Bearer, Carrier, ForgeableBody, LeakyQuery
from sessile.core.cookie import Cookie, SameSite
from sessile.core.info import SessionInfo
from sessile.core.limit import Limit, OnLimit
from sessile.core.origin import OriginCheck, Origins
from sessile.core.outage import Outage
from sessile.core.policy import OnReplay, Policy, days, hours, minutes
from sessile.core.proxies import ForwardedHeader, Proxies
from sessile.core.request import Request
from sessile.core.require import require
from sessile.core.session import Session
from sessile.core.ticket import NoTicket
from sessile.core.value import Value
from sessile.errors import SessileError
from sessile.service.events import Hook
from sessile.service.sessions import Sealing, Sessions

__all__ = [
    "AddressMatch",
    "AgentMatch",
    "Bearer",
    "Binding",
    "Carrier",
    "Cookie",
    "ForgeableBody",
    "ForwardedHeader",
    "Hook",
    "LeakyQuery",
    "Limit",
    "NoTicket",
    "OnLimit",
    "OnMismatch",
    "OnReplay",
    "OriginCheck",
    "Origins",
    "Outage",
    "Policy",
    "Proxies",
    "Request",
    "SameSite",
    "Sealing",
    "SessileError",
    "Session",
    "SessionInfo",
    "Sessions",
    "Value",
    "days",
    "hours",
    "minutes",
    "require",
]
