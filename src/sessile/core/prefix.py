"""Whether a path is below one of the prefixes that an option names. Pure.

``core.origin`` asks it of paths that any site may post to, ``web`` of those without sessions and of
those whose requests are no sign of life or turn no ticket.
"""

import re
from typing import Final

_CLIMBS: Final = re.compile(r"[/\\]\.\.(?:[/\\;]|\Z)").search


def is_below(path: str, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a path begins so and stays there.

    One with a segment ``..`` is below none: browsers send ``/hooks/..%2fpay`` as it stands, and
    some applications, as those with Pyramid's traversal, take it for ``/pay``.

    Args:
        path: without escapes.
        prefixes: of paths.
    """
    return path.startswith(prefixes) and _CLIMBS(path) is None
