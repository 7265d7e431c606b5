"""Sessions over a store that writes down what it is asked; other tests have their own."""

import pytest

from harness.recording_store import fresh_sessions
from web.asgi_chat import stored
from web.session_ends import begins


@pytest.fixture
def sessions():
    """Nobody's so far."""
    return fresh_sessions()


@pytest.fixture
def cookie(sessions):
    """What the browser of somebody sends who is logged in, and has a cart."""
    return stored(sessions, begins)
