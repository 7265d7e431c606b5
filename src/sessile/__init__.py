"""HTTP sessions that are right. The public names, and nothing else."""

from sessile.core.change import Excess
from sessile.core.cookie import Cookie, SameSite
from sessile.core.policy import Policy, days, hours, minutes
from sessile.core.session import Session
from sessile.core.value import Value
from sessile.errors import SessileError
from sessile.service.owners import SessionInfo
from sessile.service.sessions import Sealing, Sessions

__all__ = [
    "Cookie",
    "Excess",
    "Policy",
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
]
