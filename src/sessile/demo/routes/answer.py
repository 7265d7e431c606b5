"""Ask the store for more than the session, on pages that are served while it is stopped as well."""

from collections.abc import Awaitable
from typing import TypeVar

from sessile.errors import StoreUnavailable

T = TypeVar("T")


async def answer_to(question: Awaitable[T]) -> T | None:
    """Ask the store; None where it does not answer, and the page says so."""
    try:
        return await question
    except StoreUnavailable:
        return None
