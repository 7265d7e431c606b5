"""HTTP sessions that are right. The public names, and nothing else."""

from sessile.core.binding import Address, Agent, Binding, Mismatch
from sessile.core.carrier import Bearer, ForgeableBody, LeakyQuery
from sessile.core.change import Excess
from sessile.core.cookie import Cookie, SameSite
from sessile.core.origin import OriginCheck, Origins
from sessile.core.policy import Limit, Policy, Theft, days, hours, minutes
from sessile.core.proxies import ForwardedHeader, Proxies
from sessile.core.require import require
from sessile.core.session import Session
from sessile.core.value import Value
from sessile.errors import SessileError
from sessile.service.owners import SessionInfo
from sessile.service.sessions import Sealing, Sessions

__all__ = [
    "Address",
    "Agent",
    "Bearer",
    "Binding",
    "Cookie",
    "Excess",
    "ForgeableBody",
    "ForwardedHeader",
    "LeakyQuery",
    "Limit",
    "Mismatch",
    "OriginCheck",
    "Origins",
    "Policy",
    "Proxies",
    "SameSite",
    "Sealing",
    "SessileError",
    "Session",
    "SessionInfo",
    "Sessions",
    "Theft",
    "Value",
    "days",
    "hours",
    "minutes",
    "require",
]
