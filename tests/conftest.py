"""Real servers that tests share, from ``harness``, and both colours of a flow."""

import pytest

from harness.redis_server import own_redis, redis_server  # noqa: F401  (fixtures are found by their names)
from sessile.testing.drive import COLOURS

pytest_plugins = ["sessile.testing.matrix"]  # prints which promises were asked of which store


@pytest.fixture(params=COLOURS)
def drive(request):
    """What finishes flows: blocking, then async."""
    drive = COLOURS[request.param]()
    yield drive
    drive.close()
