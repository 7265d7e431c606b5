"""An event as one line of JSON that no reader of logs can be tricked with. ``jsonlines`` logs it.

Everything but printable ASCII is written as a JSON escape, so that no line break of any alphabet,
no terminal's command and no turn of the writing direction leaves the quotes. Long text is cut.
"""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from sessile.core.client import Client
from sessile.core.value import Instant
from sessile.service.events import Event
from sessile.sinks.kinds import name_of

MAX_TEXT: Final = 256
"""Characters of one text, before escaping."""

MAX_ITEMS: Final = 16
"""Items of one list: a line stays short enough for log shippers."""

MAX_ITEM_TEXT: Final = 64
"""Characters of one item."""

_CUT: Final = "…"
_LEADING: Final = frozenset(("at", "session", "client", "owner"))
_INSTANTS: Final = frozenset(("evidence",))


def encode_line(event: Event, user_name: Callable[[str], str | None]) -> str:
    """Return the event as one line of JSON, without a line break.

    Args:
        event: what happened.
        user_name: gives the text for its owner; None leaves the owner out.
    """
    fields = {
        "event": name_of(event),
        "at": _timestamp(event.at),
        "session": _to_json(event.session),
    }
    if event.client is not None:
        fields["client"] = _to_json(event.client)
    owner = getattr(event, "owner", None)
    if owner is not None and (name := user_name(owner)) is not None:
        fields["owner"] = _text(name)
    for field in event.__struct_fields__:
        if field not in _LEADING:
            value = getattr(event, field)
            fields[field] = _timestamp(value) if field in _INSTANTS else _to_json(value)
    return json.dumps(fields, ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def _to_json(value: object, longest: int = MAX_TEXT) -> Any:
    if isinstance(value, Enum):  # before its value, which may be a text or a number
        return value.name
    if value is None or isinstance(value, bool | int | float):
        return value if not isinstance(value, float) or math.isfinite(value) else None
    if isinstance(value, str):
        return _text(value, longest)
    if isinstance(value, Client):
        return _client(value)
    if isinstance(value, tuple | list):
        items = [_to_json(item, MAX_ITEM_TEXT) for item in value[:MAX_ITEMS]]
        return [*items, _CUT] if len(value) > MAX_ITEMS else items
    return f"<{type(value).__name__}>"  # a type without a rule might hold anything


def _text(text: str, longest: int = MAX_TEXT) -> str:
    """Return the text, cut; half a surrogate pair, which strict readers refuse, is spelled out."""
    kept = text if len(text) <= longest else text[:longest] + _CUT
    return kept.encode("utf-8", "backslashreplace").decode()


def _client(client: Client) -> dict[str, str]:
    """Return a client without the checksum of its User-Agent, which tells a reader nothing."""
    known = {"address": client.address, "browser": client.browser, "system": client.system}
    return {name: _text(text) for name, text in known.items() if text}


def _timestamp(at: Instant) -> str | None:
    """Return a time as RFC 3339 in UTC; None for one that no calendar has."""
    try:
        stamp = datetime.fromtimestamp(at, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return stamp.isoformat(timespec="milliseconds").replace("+00:00", "Z")
