"""sessile in the set-ups that are measured, through its public names alone.

Two versions are measured with this one module, so it may use only what both have.
"""

import os

from benchmarks.peers import CLUSTER, POSTGRES, SENTINEL
from sessile import Cookie, Sealing, Sessions

SECRET = "bEnch_7Qw2Lk9Zx4Rv8Nt3Mj6Hp1Gs5Fd0Yc"


def make_sessions(option, redis, folder):
    """Build the sessions of an option such as ``sessile-redis-sealed``."""
    _, store, *features = option.split("-")
    version = "before" if "before" in features else "now"  # they share no record
    url = {
        "memory": "memory://",
        "sqlite": f"sqlite:///{folder}/{option}.db",
        "lmdb": f"lmdb:///{folder}/{option}.lmdb",
        "redis": f"{redis}?prefix={version}:{'&near=10000' if 'near' in features else ''}",
        "sentinel": f"{os.environ.get(SENTINEL)}&prefix={version}:",
        "cluster": f"{os.environ.get(CLUSTER)}?prefix={version}:",
        "postgres": f"postgresql://{os.environ.get(POSTGRES)}?table={version}",
    }[store]
    return Sessions(
        url,
        secrets=[SECRET],
        cookie=Cookie(secure=False),
        sealing=Sealing.WHEN_SECRETS_ARE_GIVEN if "sealed" in features else Sealing.OFF,
    )
