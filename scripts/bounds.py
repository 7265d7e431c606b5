"""Every bound there is, and what happens beyond it: for the tables of ``docs/limits.md``.

``tables.py`` takes the numbers from the code, and ``tests/test_docs.py`` finds a bound that is not
here. A place is a module of ours and a name in it, a default of a class's, or of a method's.
"""

import inspect
from dataclasses import dataclass
from enum import Enum
from importlib import import_module


class Unit(Enum):
    """What a bound counts."""

    NUMBER = ""
    BYTES = "bytes"
    CHARACTERS = "characters"
    SECONDS = "seconds"


@dataclass(frozen=True)
class Bound:
    """One bound.

    Args:
        what: is bounded.
        place: where its number stands, as in ``"core.record:LONGEST_WALK"``.
        beyond: what happens there.
        unit: what it counts.
    """

    what: str
    place: str
    beyond: str
    unit: Unit = Unit.NUMBER

    @property
    def most(self) -> str:
        """The number as people write it."""
        number = value_of(self.place)
        if self.unit is Unit.BYTES:
            return _scaled(number, [(2**20, "MiB"), (2**10, "KiB"), (1, "bytes")])
        if self.unit is Unit.SECONDS:
            return _scaled(number, [(86_400, "days"), (60, "minutes"), (1, "seconds")])
        return f"{number:,} {self.unit.value}".strip()


def value_of(place: str) -> float:
    """Return the number that stands at a place."""
    module, _, path = place.partition(":")
    thing = import_module(f"sessile.{module}")
    for name in path.split("."):
        if inspect.isfunction(thing):
            thing = inspect.signature(thing).parameters[name].default
        else:
            found = getattr(thing, name)
            thing = getattr(thing(), name) if inspect.ismemberdescriptor(found) else found
    return thing


def _scaled(number: float, scales: list[tuple[int, str]]) -> str:
    size, word = next(((n, word) for n, word in scales if number >= n), scales[-1])
    return f"{number / size:,g} {word if number != size else word.removesuffix('s')}"


N, B, C, S = Unit

BOUNDS = {
    "session": [
        Bound("keys and values together, as they are encoded; `Policy(max_bytes=)`", "core.policy:Policy.max_bytes", "`SessionTooLarge`; what there is may shrink and stay", B),
        Bound("keys; `Policy(max_keys=)`. The name of one has no bound of its own", "core.policy:Policy.max_keys", "`SessionTooLarge`"),
        Bound("one value", "codecs.msgpack:MAX_SIZE", "`UnsupportedValue` where it is set", B),
        Bound("containers in each other in a value", "codecs.msgpack:MAX_DEPTH", "`UnsupportedValue`"),
        Bound("the user's key", "core.credentials:_LONGEST_USER", "`ConfigError` from `login`, or the save", C),
        Bound("level of assurance", "core.credentials:_HIGHEST_LEVEL", "`ConfigError`"),
        Bound("factors", "core.credentials:_MOST_FACTORS", "`ConfigError`"),
        Bound("name of a factor, or of a purpose", "core.credentials:_LONGEST_WORD", "`ConfigError`", C),
        Bound("grants of step-ups", "core.session:_MOST_GRANTS", "that which ends first goes"),
        Bound("time that a grant or half a login lasts", "core.credentials:_LONGEST_WAIT", "`ConfigError`", S),
        Bound("lines of the trail, and notes of one request", "core.trail:MAX_ENTRIES", "the oldest of the commonest kind goes, but never the first; of notes the oldest"),
        Bound("lines of the trail that say a client was turned away", "service.open:_MOST_TURNED_AWAY", "no further line"),
        Bound("a note, or the name of a device", "core.trail:_MAX_LENGTH", "cut", C),
    ],
    "user": [
        Bound("sessions, where no `Policy(limit=)` is given", "core.limit:MOST_SESSIONS.number", "the oldest end"),
        Bound("sessions that a limit can allow; `limit=None` is no limit", "core.limit:_LARGEST_LIMIT", "`ConfigError`"),
        Bound("sessions that one login ends by itself", "stores.contract:MOST_ENDED", "the others end page by page, right after it"),
        Bound("sessions whose time is over that one act of a login looks at", "stores.excess:MOST_DEAD", "they are removed, and it goes on"),
        Bound("rows that somebody planted in the index that one login removes", "service.end:_MOST_REMOVED", "the next login removes more"),
        Bound("devices that are remembered", "service.devices:MOST_DEVICES", "the one seen longest ago is forgotten"),
        Bound("thefts whose evidence is kept", "service.evidence:MOST_EVIDENCE", "the oldest goes"),
        Bound("time that evidence is kept; `Policy(evidence=)`", "core.policy:Policy.evidence", "it goes; of nobody's session, with the session's own time", S),
        Bound("time that a session which is over is kept at least, for requests under way", "core.record:LATE_TTL", "what they changed is dropped", S),
        Bound("time that a tombstone is kept", "core.record:TOMBSTONE_TTL", "it goes", S),
        Bound("tombstones that are followed to where a session goes on", "core.record:LONGEST_WALK", "it counts as ended"),
    ],
    "act": [
        Bound("bytes of a page of sessions, listed or removed, but for the last on it", "stores.contract:PAGE_BYTES", "the page ends", B),
        Bound("sessions on a page of one user's", "stores.contract:Store.owned_by.batch", "the next page"),
        Bound("sessions of one user that are removed as one act", "stores.contract:Store.delete_owned.batch", "the next act"),
        Bound("sessions on a page of everybody's, about", "stores.contract:Store.scan.batch", "the next page"),
        Bound("expired records that a sweep removes as one act, of `sessions.sweep` and `sessile sweep`", "service.sessions:_SWEEP", "the next act"),
        Bound("expired records that are removed by the way", "service.new_record:_BATCH", "the next time"),
        Bound("new sessions between two such removals", "service.new_record:_EVERY", "a sweep"),
        Bound("keys that a step of a count on Redis, or on a node of its cluster, looks at, about", "stores.redis_size:PAGE", "the next step"),
        Bound("keys of a Redis server of which is seen whether they are sessions, for its size, about", "stores.redis_size:SAMPLE", "the size is an estimate"),
        Bound("commits tried of one request, while rivals are faster", "service.open:ATTEMPTS", "`LostRace`, a 503"),
        Bound("attempts of a login on a store that changes one row at a time, while rivals are faster", "stores.key_value_store:ATTEMPTS", "`LostRace`, a 503"),
        Bound("time that such a login waits for another one, which may have crashed", "stores.settling:PATIENCE", "that one is called off", S),
        Bound("commits tried to take a session out of its former store", "stores.moving:ATTEMPTS", "`LostRace`, a 503"),
        Bound("commits tried to lock a session whose ticket was stolen", "service.lock:_ATTEMPTS", "`LostRace`, a 503"),
        Bound("times that a late end puts evidence back", "service.end:_ATTEMPTS", "it is given up"),
        Bound("sessions that a worker of a server with a name counts in a minute", "service.traffic:MOST_SEEN", "it tells that there were so many"),
        Bound("commits tried of what a worker tells of itself, while others of its server are faster", "service.server_row:_ATTEMPTS", "the next second"),
        Bound("an operation of SQLite; `?timeout=`", "stores.sqlite:LIMIT", "`StoreUnavailable`, a 503", S),
        Bound("an operation of LMDB; `?timeout=`", "stores.lmdb:LIMIT", "`StoreUnavailable`, a 503", S),
        Bound("megabytes of an LMDB file; `?size=`", "stores.lmdb:SIZE", "what has to be written is refused, a 503; what frees room may be as well"),
        Bound("reading transactions of all processes of an LMDB file at once; a process takes a few", "wire.lmdb.environment:_MOST_READERS", "`StoreUnavailable`, a 503"),
        Bound("an operation of Redis; `?timeout=`", "stores.redis_url:LIMIT", "`StoreUnavailable`, a 503", S),
        Bound("an operation of memcached; `?timeout=`", "stores.memcached:LIMIT", "`StoreUnavailable`, a 503", S),
        Bound("sessions that a process has just read from memcached and could change without another look; twice as many at most", "stores.read_tokens:MOST_TOKENS", "a change looks again"),
        Bound("time for which memcached refuses some logins, where whoever ended everybody crashed", "stores.memcached_generations:ENDING_TTL", "they go on", S),
        Bound("an operation of NATS; `?timeout=`", "stores.nats_url:LIMIT", "`StoreUnavailable`, a 503", S),
        Bound("a new connection to NATS, all servers together; `?connect_timeout=`", "stores.nats_url:_CONNECT", "`StoreUnavailable`, a 503", S),
        Bound("time for which the leader of several NATS servers is believed after it last stored something", "wire.nats.lease:LEASE", "what it says is confirmed by a beat", S),
        Bound("attempts of a login on NATS, while rivals are faster", "stores.nats:ATTEMPTS", "`LostRace`, a 503"),
        Bound("shards of `backup://`; `?shards=`", "stores.nats_url:MOST_SHARDS", "`ConfigError`"),
        Bound("sessions of a mirror that a process keeps taken apart, as it has read them", "stores.mirror:MOST_OPENED", "they are taken apart anew"),
        Bound("the same of a mirror that a host has in common; `?mirror=host`", "stores.mirror:MOST_OPENED_OF_HOST", "they are taken apart anew"),
        Bound("a mirror that a host has in common; `?mirror=host`", "wire.lmdb.cache_file:_SIZE", "it is not read, and the store is asked", B),
        Bound("time for which a stream of NATS says that a session has ended", "stores.nats_rows:ENDED_TTL", "nothing is left", S),
        Bound("dead sessions that one act removes on NATS, on the way to a login", "stores.nats_login:_DEAD_AT_ONCE", "the next act"),
        Bound("an operation of Postgres; `?timeout=`", "stores.postgres_url:LIMIT", "`StoreUnavailable`, a 503", S),
        Bound("connections of a process's event loop to Postgres, or of its threads; `?connections=`", "stores.postgres_url:MOST", "they wait, within the time of the operation"),
        Bound("times that an operation is made that Postgres has undone because of another", "wire.postgres.client:MOST_REPEATS", "`StoreUnavailable`, a 503"),
        Bound("times that a read of Postgres is made again whose connection broke", "wire.postgres.client:_MOST_BREAKS", "`StoreUnavailable`, a 503"),
        Bound("times that a commit is tried on Postgres whose row changes meanwhile", "stores.postgres:MOST_COMMITS", "it is a conflict, and merged"),
        Bound("time that `end_everybody` waits for Redis to write its disk", "stores.redis_durability:PATIENCE", "it says why a crash may undo it", S),
        Bound("bytes of a command or session that still waits with the others of a server", "wire.commands.lane:LARGE", "a second connection", B),
        Bound("nodes of a Redis Cluster", "wire.redis.slots:MOST_NODES", "`StoreUnavailable`: what names more is no cluster"),
        Bound("large sessions whose keys a process remembers for that", "stores.large_keys:_MOST_LARGE", "they are learned anew"),
        Bound("records in `memory://`; `?most=`", "stores.memory:MOST", "the least used go"),
    ],
    "request": [
        Bound("a ticket, and no less", "core.ticket:_TEXT_CHARS", "it is none, and no store is asked", C),
        Bound("turns back that a used ticket is recognised", "core.verdict:_STEPS", "a stranger, who is nobody"),
        Bound("the same, where the secret changed in between", "core.verdict:_MIXED", "a stranger, who is nobody"),
        Bound("used tickets of which a session knows when they gave way", "core.verdict:_NOTED", "it counts as long ago: a replay"),
        Bound("time that a used ticket counts as late, from the session's own client; `Policy(stale=)`", "core.policy:Policy.stale", "a replay", S),
        Bound("a form that is looked at for a ticket or a CSRF token", "web.request:FORM_LIMIT", "it has none", B),
        Bound("`User-Agent`", "codecs.agent:MAX_LENGTH", "the rest is not looked at", C),
        Bound("an address, as a proxy tells it", "core.address:MAX_LENGTH", "it is none", C),
        Bound("hops of `X-Forwarded-For` or `Forwarded`", "core.proxies:_MAX_HOPS", "the client is the last one that was looked at"),
        Bound("such a header, from its right end", "core.proxies:WINDOW", "the rest is not looked at", C),
        Bound("`name` of a `Cookie`; nine fewer with a near cache", "core.cookie:LONGEST_NAME", "`ConfigError`", C),
        Bound("`path` of a `Cookie`", "core.cookie:_ATTRIBUTE_CAP", "`ConfigError`", C),
        Bound("`Max-Age` of a cookie", "core.policy:_COOKIE_CAP", "it is this", S),
    ],
    "process": [
        Bound("records of which a process remembers that their proof held, and their values in plain, so as to open each once", "codecs.sealing:MOST_KNOWN", "they are learned anew"),
        Bound("time that the nodes of a Redis Cluster may disagree who has which slot", "wire.redis.cluster_tracking:DISAGREEMENT", "their feed is given up, and connected anew", S),
        Bound("age of a feed's last heartbeat", "wire.feed.follower:MOST_LATE", "no copy is trusted, and open sockets are looked at now and then", S),
        Bound("open sessions that the store is asked about at once, where it has told that they may have ended", "service.watchers:AT_ONCE", "the others wait their turn"),
        Bound("time that a client has to take the close of its socket, once the application is done with it", "web.open_connection:PATIENCE", "the server ends the connection", S),
        Bound("keys that the feed of `memory://` keeps for who is slow", "wire.feed.local:MOST_KEPT", "it is told that any may have changed"),
        Bound("age of a copy in a near cache, whatever the feed says", "stores.near:OLDEST", "it is read anew", S),
        Bound("time that a Postgres server waits for a process which listens to it, and takes nothing", "stores.postgres_feed:MOST_STALLED", "it hangs up, and copies are forgotten", S),
        Bound("bytes of the values of a record in a near cache", "stores.near:LARGEST", "it is read from the store each time", B),
        Bound("bytes of the values of one of those", "codecs.sealing:LARGEST_KNOWN", "it is looked at each time", B),
        Bound("secrets", "core.secrets:MOST", "`WeakSecret`"),
        Bound("a secret, at least", "core.secrets:SHORTEST", "`WeakSecret`", C),
        Bound("different characters of one, at least", "core.secrets:_FEWEST_DISTINCT", "`WeakSecret`"),
        Bound("tasks of async hooks that are under way", "wire.background.tasks:LIMIT", "events are dropped, and the log says how many"),
        Bound("addresses that are remembered as read", "core.address:_CACHE_SIZE", "read anew"),
        Bound("headers of proxies that are remembered as read", "core.proxies:_CACHE_SIZE", "read anew"),
        Bound("user agents that are remembered as read", "codecs.agent:_CACHE_SIZE", "read anew"),
        Bound("records whose derived keys are remembered, for each secret", "codecs.sealing:_CIPHERS", "derived anew"),
        Bound("a text in a line of `JsonLines`", "sinks.json_line:MAX_TEXT", "cut", C),
        Bound("items of a list in such a line", "sinks.json_line:MAX_ITEMS", "cut"),
        Bound("one of those items", "sinks.json_line:MAX_ITEM_TEXT", "cut", C),
        Bound("time that a scrape of gauges waits for the store, where no event loop would stand still", "sinks.latest_size:PATIENCE", "they tell what was known before, or nothing", S),
        Bound("age of what gauges tell of the store", "sinks.latest_size:OLDEST", "they tell nothing", S),
    ],
}  # fmt: skip
"""By whose they are."""
