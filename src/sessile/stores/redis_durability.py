"""Have a Redis server write to disk what it was just told, as far as it can, and say if it cannot.

``stores.redis`` does so after ``end_everybody``. What an ordinary act keeps through a crash is the
server's setting alone.
"""

from typing import Final

from sessile.errors import StoreUnavailable
from sessile.stores.redis_server import Info, info, reply_to, setting
from sessile.wire.pause import pause
from sessile.wire.redis.client import RedisClient

PATIENCE: Final = 5.0
"""Seconds that a snapshot, or the log, is waited for."""

_STEP: Final = 0.05
_STEPS: Final = int(PATIENCE / _STEP)
_WAIT: Final = 1
"""Milliseconds. WAITAOF looks again when the log was written, so no longer wait is needed."""

AS_NEEDED: Final = "set appendonly yes and appendfsync always"


async def write_to_disk(client: RedisClient) -> str | None:
    """Have the server write to disk what came over this client's one connection.

    Return None where a crash of the server cannot undo it any more; else why it may, and what to
    do, for an operator. Waits for ``PATIENCE`` at most.
    """
    state = await info(client, "persistence")
    if state is None:
        return "the server does not say what it keeps on disk, so a crash of it may undo this"
    if state.get("aof_enabled") == "1":
        return await _write_log(client)
    return await _write_snapshot(client, state)


async def _write_log(client: RedisClient) -> str | None:
    """Wait for the log. Before Redis 7.2 nobody can; then its setting tells what is certain."""
    for _ in range(_STEPS):
        reply = await reply_to(client, "WAITAOF", 1, 0, _WAIT)
        if reply is None:
            return await _judge_log(client)
        if reply[0] >= 1:
            return None
        await pause(_STEP)
    return (
        f"the server did not write its log to disk within {PATIENCE:g} s, so a crash of it "
        "may undo this: ask again"
    )


async def _judge_log(client: RedisClient) -> str | None:
    rule = await setting(client, "appendfsync")
    if rule == "always":
        return None
    if rule == "everysec":
        return (
            "the server writes its log to disk every second (appendfsync everysec): a crash of it "
            "within the next two seconds may undo this"
        )
    return (
        "the server does not say that its log is on disk, so a crash of it may undo this: "
        "set appendfsync always, or everysec and wait for two seconds"
    )


async def _write_snapshot(client: RedisClient, state: Info) -> str | None:
    """Ask for a snapshot, and wait for it. One that was under way may not hold what is new."""
    if await _keeps_nothing(client, state):
        return None
    begun, why = False, "it is not done yet"
    for _ in range(_STEPS):
        if state.get("rdb_bgsave_in_progress") == "0":
            if begun:
                break
            try:
                await client.ask("redis BGSAVE", "BGSAVE")
                begun = True
            except StoreUnavailable as error:
                if "in progress" not in error.why:
                    why = "it makes none for us"
                    break
        await pause(_STEP)
        state = await info(client, "persistence") or {}
    if begun and state.get("rdb_bgsave_in_progress") == "0":
        if state.get("rdb_last_bgsave_status") == "ok":
            return None
        why = "it failed; the server's log says why"
    return (
        f"the server was asked for a snapshot ({why}); until there is one, a crash of it may undo "
        f"this: run redis-cli BGSAVE and look at LASTSAVE, and for the next time {AS_NEEDED}"
    )


async def _keeps_nothing(client: RedisClient, state: Info) -> bool:
    """Tell whether a crash leaves no session at all: no snapshots by rule, none made, none read."""
    never = all(state.get(name) == "0" for name in ("rdb_saves", "rdb_last_load_keys_loaded"))
    return never and await setting(client, "save") == ""
