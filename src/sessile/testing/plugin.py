"""What pytest finds where sessile is installed: the fixture ``session_tester``."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest

from sessile.service.sessions import Sessions
from sessile.testing.application import SessionTester

Take: TypeAlias = Callable[[Sessions], SessionTester]
"""The type of ``session_tester``."""


@pytest.fixture
def session_tester() -> Iterator[Take]:
    """Take an application's sessions in hand until the test is over: ``session_tester(sessions)``.

    See ``sessile.testing.application``.
    """
    with ExitStack() as stack:
        yield lambda sessions: stack.enter_context(SessionTester(sessions))
