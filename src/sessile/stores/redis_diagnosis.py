"""What ``sessile doctor`` asks of a Redis server: what ends sessions there, or lets people in."""

import ipaddress
import re
from dataclasses import replace
from typing import Final

from sessile.stores.finding import Finding, fine, note, wrong
from sessile.stores.redis_generation import NONE
from sessile.stores.redis_server import Info, info, reply_to, setting
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.endpoint import Endpoint, ErrorReply
from sessile.wire.tls import Tls

_OLDEST: Final = (6, 2)
"""The first version that has all commands we send."""

_NEARLY_FULL: Final = 0.9
"""Of ``maxmemory``."""

_LOG: Final = {
    "always": fine("disk", "appendfsync always: what was acknowledged outlives a crash"),
    "everysec": note(
        "disk",
        "appendfsync everysec: a crash brings back what was ended in the last two seconds; write "
        "appendfsync always where that is too much",
    ),
    "no": note(
        "disk",
        "appendfsync no: a power cut brings back what was ended in the last half minute or more; "
        "write appendfsync always, or everysec",
    ),
}


async def diagnose(client: RedisClient, endpoint: Endpoint) -> list[Finding]:
    """Look at the server; what it lets nobody ask is a note that says so."""
    memory = await info(client, "memory")
    return [
        _judge_version(await info(client, "server")),
        _judge_role(await info(client, "replication"), endpoint.acks),
        await _judge_persistence(client),
        _judge_eviction(memory),
        _judge_memory(memory),
        await _judge_access(endpoint),
        _judge_network(endpoint),
    ]


def judge_generation(found: bytes | ErrorReply | None, key: str, any_row: bool) -> Finding:
    """Judge what stands where the generation should, and whether there is a row that needs it."""
    if found is None and any_row:
        return wrong(
            "generation",
            f"there are sessions and no key {key}, so nobody is logged in: it was deleted or "
            "evicted, or a restore left it out; the next login begins a new one",
        )
    if found is None:
        return fine("generation", "there is none before the first session")
    if isinstance(found, ErrorReply) or found[: len(NONE)] <= NONE:
        return wrong(
            "generation", f"the key {key} holds none, so nobody is logged in: delete the key"
        )
    number = int.from_bytes(found[: len(NONE)])
    return fine("generation", f"number {number}; each end-everybody counts on by one")


def _judge_version(server: Info | None) -> Finding:
    if server is None:
        return _unknown("version", "server", "it has to be 6.2 or newer")
    version = server.get("redis_version", "")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers >= _OLDEST:
        return fine("version", version)
    return wrong("version", f"{version or 'no version'}; sessile needs Redis 6.2 or newer")


def _judge_role(replication: Info | None, acks: int) -> Finding:
    if replication is None:
        return _unknown("role", "replication", "it has to be a primary")
    if replication.get("role") != "master":
        return wrong(
            "role",
            "this is a replica, which takes no login and answers late: write the primary's address",
        )
    number = replication.get("connected_slaves", "0")
    if number.isdecimal() and int(number) < acks:
        return wrong(
            "role",
            f"{number} connected, and acks={acks} asks for more, so every change is a 503: connect "
            "replicas, or write a lower acks",
        )
    if number == "0":
        return fine("role", "this is the primary, without replicas")
    return note(
        "role",
        f"{number} connected; after a fail-over what was ended lives again if the replica had not "
        "heard of it: min-replicas-to-write and min-replicas-max-lag bound how much that is",
    )


async def _judge_persistence(client: RedisClient) -> Finding:
    state = await info(client, "persistence")
    advice = "write appendonly yes and appendfsync always"
    if state is None:
        return _unknown("disk", "persistence", advice)
    if "err" in (state.get("aof_last_write_status"), state.get("rdb_last_bgsave_status")):
        return wrong(
            "disk", "the last write to the disk failed, and the server may refuse writes: "
            "see its log, and whether the disk is full",
        )  # fmt: skip
    if state.get("aof_enabled") == "1":
        rule = await setting(client, "appendfsync")
        known = _LOG.get(rule or "")
        return known or note("disk", f"a log; cannot tell its appendfsync; {advice}")
    rules = await setting(client, "save")
    if rules is None:
        return note(
            "disk",
            "no log (appendonly no); cannot tell whether there are snapshots, which bring back "
            f"what was ended since the last one: {advice}",
        )
    if not rules:
        return note(
            "disk",
            f"nothing is kept on disk: a restart logs everybody out; {advice} to keep them",
        )
    return note(
        "disk",
        "snapshots alone: a crash brings back every session that was ended since the last one; "
        f"{advice} (or everysec, which may bring back two seconds)",
    )


def _judge_eviction(memory: Info | None) -> Finding:
    advice = "write maxmemory-policy noeviction"
    if memory is None or "maxmemory_policy" not in memory:
        return _unknown("eviction", "memory", advice)
    policy, bounded = memory["maxmemory_policy"], memory.get("maxmemory") != "0"
    if policy == "noeviction":
        return fine("eviction", "noeviction: a full server refuses writes, and forgets nobody")
    text = f"{policy} ends sessions, and users' indexes before them, when memory is full: {advice}"
    return wrong("eviction", text) if bounded else note("eviction", text)


def _judge_memory(memory: Info | None) -> Finding:
    if memory is None or "maxmemory" not in memory:
        return _unknown("memory", "memory", "write a maxmemory that the machine has")
    used, most = int(memory.get("used_memory", 0)), int(memory["maxmemory"])
    if not most:
        return note(
            "memory",
            f"{_megabytes(used)} in use without a limit, until the machine kills the server: write "
            "maxmemory",
        )
    text = f"{_megabytes(used)} of {_megabytes(most)} in use"
    if used < _NEARLY_FULL * most:
        return fine("memory", text)
    return wrong("memory", f"{text}: soon every write is refused, a 503; write a higher maxmemory")


async def _judge_access(endpoint: Endpoint) -> Finding:
    """Knock as a stranger: without our password, and without our certificate."""
    tls = endpoint.tls and Tls(endpoint.tls.ca)
    stranger = RedisClient(replace(endpoint, username=None, password=None, tls=tls))
    try:
        is_open = await reply_to(stranger, "PING") is not None
    finally:
        await stranger.close()
    if not is_open:
        return fine("access", "the server knows us; a stranger is turned away")
    text = "the server asks for no password: whoever reaches it reads and ends sessions; write "
    if endpoint.path is not None:
        return note("access", f"{text}unixsocketperm 700, or requirepass")
    text += "requirepass or an ACL, and the password into the URL"
    return note("access", text) if _is_loopback(endpoint.host) else wrong("access", text)


def _judge_network(endpoint: Endpoint) -> Finding:
    if endpoint.path is not None:
        return fine("network", "a socket of this host")
    if endpoint.tls is not None:
        return fine("network", "TLS; the server's certificate is verified")
    if _is_loopback(endpoint.host):
        return fine("network", "plain text, which does not leave this host")
    return note(
        "network",
        f"plain text to {endpoint.host}: whoever listens on the way reads the password and what "
        "records show; write rediss://, unless the network is yours alone",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _unknown(subject: str, section: str, advice: str) -> Finding:
    return note(
        subject, f"cannot tell: the server does not answer this user INFO {section}; {advice}"
    )


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:.0f} MB"
