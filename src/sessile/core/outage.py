"""What requests are answered while the store cannot be asked."""

from enum import Enum


class Outage(Enum):
    """What an outage of the store leads to. It makes nobody an anonymous visitor in any case."""

    FAIL = "answer 503"
    READ = "serve readers from the near cache, and answer 503 to writers"
    """Whoever was logged out elsewhere meanwhile, by a server that reaches the store, reads on."""
