"""What a visitor has chosen, kept in the session. Pure; ``routes.settings`` changes it."""

from collections.abc import MutableMapping
from dataclasses import dataclass
from enum import Enum
from typing import Self

from sessile.core.value import Value
from sessile.demo.catalogue import Currency


class Theme(Enum):
    """How the page looks."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices; what is missing has its default."""

    theme: Theme = Theme.SYSTEM
    currency: Currency = Currency.EUR

    @classmethod
    def parse(cls, theme: str, currency: str) -> Self:
        """Return the choices of a form.

        Raises:
            ValueError: one of them cannot be chosen.
        """
        return cls(Theme(theme), Currency(currency))

    @classmethod
    def of(cls, session: MutableMapping[str, Value]) -> Self:
        """Return the choices in a session."""
        theme, currency = session.get("theme", "system"), session.get("currency", "EUR")
        return cls(Theme(theme), Currency(currency))

    def keep(self, session: MutableMapping[str, Value]) -> None:
        """Write the choices into a session."""
        session["theme"], session["currency"] = self.theme.value, self.currency.value
