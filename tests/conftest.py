"""Real servers that tests share, from ``harness``, and both colours of a flow."""

import pytest

from harness.postgres_server import (  # noqa: F401  (as below)
    fresh_database,
    own_postgres,
    postgres_server,
)
from harness.redis_server import own_redis, redis_server  # noqa: F401  (fixtures are found by their names)
from harness.sentinels import replicated  # noqa: F401
from sessile.testing.drive import COLOURS

pytest_plugins = ["summary"]  # prints the tests by folder, and the promises where asked to


@pytest.fixture(params=COLOURS)
def drive(request):
    """What finishes flows: blocking, then async."""
    drive = COLOURS[request.param]()
    yield drive
    drive.close()
