"""How hard hypothesis tries: quick and the same on each run, or deep and searching.

``SESSILE_PROFILE=deep`` is for the nightly run, ``smoke`` for a run after each edit: a twentieth of
the quick examples. ``model`` and our own tests ask here.
"""

import os
from typing import Final

from hypothesis import HealthCheck, settings

_PROFILE: Final = os.environ.get("SESSILE_PROFILE", "quick")
DEEP: Final = _PROFILE == "deep"
SMOKE: Final = _PROFILE == "smoke"


def effort(quick: int, deep: int, *, steps: int = 20) -> settings:
    """Return settings with that many examples.

    Args:
        quick: examples on every run; always the same ones, so that no run is luck.
        deep: examples of the deep profile; new ones each time.
        steps: the rules a state machine applies in one quick example; deep takes three times more.
    """
    if SMOKE:
        quick = max(quick // 20, 20)
    return settings(
        max_examples=deep if DEEP else quick,
        stateful_step_count=3 * steps if DEEP else steps,
        derandomize=not DEEP,
        database=None,
        deadline=None,  # a busy machine is no bug
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
