"""Which stores a run can have. A new one is a line here, and its seconds in the tests."""

from chaos.clusters import Cluster, NearCluster, Sentinels
from chaos.files import LMDB, Memory, SQLite
from chaos.nats import Backup, Nats, Replicated
from chaos.servers import Memcached, Near, Postgres, Redis

STORES = {
    "memory": Memory,
    "sqlite": SQLite,
    "lmdb": LMDB,
    "redis": Redis,
    "near": Near,
    "sentinel": Sentinels,
    "cluster": Cluster,
    "near-cluster": NearCluster,
    "memcached": Memcached,
    "postgres": Postgres,
    "nats": Nats,
    "replicated": Replicated,
    "backup": Backup,
}
