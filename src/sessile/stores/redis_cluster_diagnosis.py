"""What ``sessile doctor`` asks of a Redis Cluster: of every primary what it asks of a server."""

from collections.abc import Mapping

from sessile.stores.finding import Finding, fine, note, wrong
from sessile.stores.redis_diagnosis import diagnose
from sessile.stores.redis_server import reply_to
from sessile.wire.redis.client import RedisClient
from sessile.wire.redis.slots import Place, migrations


async def diagnose_nodes(nodes: Mapping[Place, RedisClient]) -> list[Finding]:
    """Look at every primary. What is the same of all of them is said once."""
    found: dict[Finding, list[Place]] = {}
    for place, client in nodes.items():
        moving = await _judge_moves(client, place)
        for finding in (
            await _judge_state(client),
            *moving,
            *await diagnose(client, client.endpoint),
        ):
            found.setdefault(finding, []).append(place)
    return [
        finding if len(places) == len(nodes) else _at(places, finding)
        for finding, places in sorted(found.items(), key=lambda item: item[0].subject)
    ]


async def _judge_state(client: RedisClient) -> Finding:
    said = await reply_to(client, "CLUSTER", "INFO")
    if said is not None and b"cluster_state:ok" in said:
        return fine("cluster", "every slot has a primary")
    return wrong(
        "cluster",
        "it is not well, and refuses what it has no primary for: see redis-cli --cluster check",
    )


async def _judge_moves(client: RedisClient, place: Place) -> list[Finding]:
    """Name the slots that are on their way, which is no fault while somebody moves them."""
    said = await reply_to(client, "CLUSTER", "NODES")
    moves = [] if said is None else migrations(said, place)
    if not moves:
        return []
    (slot, target), *others = moves
    more = f", and {len(others)} more" if others else ""
    return [
        note(
            "slots",
            f"slot {slot} is on its way to {target[0]}:{target[1]}{more}; until it is there, "
            "changes of some sessions in it are 503. If nobody moves it just now, write "
            "redis-cli --cluster fix",
        )
    ]


def _at(places: list[Place], finding: Finding) -> Finding:
    where = ", ".join(f"{host}:{port}" for host, port in places)
    return Finding(finding.mark, finding.subject, f"{where}: {finding.message}")
