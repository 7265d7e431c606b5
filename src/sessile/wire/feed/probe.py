"""A probe: asks a store whether it answers, on a thread of its own, while its feed is silent.

A feed that is late says nothing of its store. A store that says nothing is found out by waiting:
whoever asks first waits for its whole time limit. So the follower asks, before a copy is too old
for its readers, and they know by then that there is nothing to wait for.
"""

import threading
from collections.abc import Callable
from typing import Final

from sessile.core.value import Seconds
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.wire import system

SOON: Final[Seconds] = 0.1
"""How long a store may take to answer a probe, while its feed is silent as well."""


_MOST: Final = 3
"""Questions that wait for an answer: a store that is heard of now and then leaves some behind."""


class Probe:
    """Asks one store.

    Args:
        ask: waits for an answer of the store; fails as its acts do.
        timer: seconds by a clock that never runs backwards.
    """

    def __init__(
        self, ask: Callable[[], object], *, timer: Callable[[], Seconds] = system.timer
    ) -> None:
        self._ask = ask
        self._timer = timer
        self.reset()

    def reset(self) -> None:
        """Begin anew, in a forked child, which has no thread of its parent's."""
        self._under_way: set[_Question] = set()
        self.forget()

    def forget(self) -> None:
        """Know nothing from now on: the store was heard of, whatever becomes of a question."""
        self._question: _Question | None = None  # while there is no answer
        self._failed = False

    def start(self) -> None:
        """Ask on a thread, unless it is being asked."""
        if self._question is None and len(self._under_way) < _MOST:
            question = self._begin()
            thread = threading.Thread(
                target=self._finish, args=(question,), name="sessile-probe", daemon=True
            )
            try:
                thread.start()
            except RuntimeError:  # there can be no more threads: readers find out by themselves
                self.reset()

    def ask(self) -> None:
        """Ask, and wait for the answer; until the next one it is what is known."""
        self._finish(self._begin())

    def is_unanswered(self) -> bool:
        """Tell whether the store has failed, or takes longer than it may."""
        question = self._question
        is_late = question is not None and self._timer() - question.asked >= SOON
        return self._failed or is_late

    def _begin(self) -> "_Question":
        question = self._question = _Question(self._timer())
        self._under_way.add(question)
        return question

    def _finish(self, question: "_Question") -> None:
        failed = False
        try:
            self._ask()
        except StoreUnavailable:
            failed = True
        except StoreClosed:
            pass
        self._under_way.discard(question)
        if self._question is question:  # else the store was heard of since
            self._failed, self._question = failed, None


class _Question:
    """When a store was asked."""

    __slots__ = ("asked",)

    def __init__(self, asked: Seconds) -> None:
        self.asked = asked
