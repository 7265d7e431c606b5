"""Real servers that tests share, from ``harness``, and both colours of a flow."""

import pytest

from harness.memcached_server import memcached_server, own_memcached, own_pair  # noqa: F401  (as below)
from harness.nats_server import nats_cluster, own_nats  # noqa: F401  (as below)
from harness.postgres_server import (  # noqa: F401  (as below)
    fresh_database,
    own_postgres,
    postgres_server,
)
from harness.redis_cluster import redis_cluster  # noqa: F401
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
