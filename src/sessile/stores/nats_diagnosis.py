"""What ``sessile doctor`` asks of NATS servers: what loses sessions there, or lets people in."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from sessile.core.value import Seconds
from sessile.stores.finding import Finding, fine, note, wrong
from sessile.stores.nats_feed import beat_of
from sessile.stores.nats_stream import NatsStream
from sessile.stores.nats_url import NatsPlace
from sessile.wire.nats.messages import BEAT_TTL, ServerInfo, StreamConfig, StreamInfo, StreamMessage
from sessile.wire.nats.version import too_old
from sessile.wire.pause import pause

_COMMON_ROW: Final = 1_200_000
"""Bytes that a session of the largest size takes, which a policy without ``max_bytes`` allows."""

_LOOKS: Final = 20
_PAUSE: Final[Seconds] = 0.05


async def look_at_followers(stream: NatsStream, place: NatsPlace) -> StreamInfo:
    """Give a stream's servers something to follow, and ask until all have, or a while.

    For the leader takes one that is away, or comes back with nothing, for whole until then.
    """
    await stream.make_ready()
    info = await stream.info()
    if info.cluster.replicas:
        await stream.store("beat", StreamMessage(beat_of(place), b"", None, BEAT_TTL))
        info = await stream.info()
        for _ in range(_LOOKS):
            if not late_followers(info):
                break
            await pause(_PAUSE)
            info = await stream.info()
    return info


def late_followers(info: StreamInfo) -> list[str]:
    """Return the names of those that are away, or do not have what the leader has."""
    return [one.name for one in info.cluster.replicas if one.is_away or not one.current]


def diagnose(
    place: NatsPlace, servers: Sequence[ServerInfo], streams: Sequence[StreamInfo]
) -> Iterator[Finding]:
    """Judge what servers told of themselves and of the streams, which are all set alike.

    Args:
        place: of the streams.
        servers: those that are there; the first one is asked how it is set.
        streams: what was told of each.
    """
    server = servers[0]
    yield from _judge_versions(servers, has_batches=place.endpoint.has_batches)
    yield _judge_payload(server)
    yield _judge_access(server)
    config = streams[0].config
    if config is not None:
        yield _judge_copies(server, config)
        yield from _judge_followers(streams)
        yield from _judge_storage(config)


def _judge_versions(servers: Sequence[ServerInfo], *, has_batches: bool) -> Iterator[Finding]:
    by_version: dict[str, list[str]] = {}
    for one in servers:
        by_version.setdefault(one.version, []).append(one.server_name)
    refusals = {version: too_old(version, has_batches=has_batches) for version in by_version}
    if any(refusals.values()):
        for version, why in refusals.items():
            if why is not None:
                yield wrong("version", f"{', '.join(by_version[version])}: {why}")
    elif len(by_version) == 1:
        yield fine("version", f"NATS {servers[0].version}")
    else:
        which = (f"{version} on {', '.join(names)}" for version, names in by_version.items())
        yield note(
            "version",
            f"NATS {'; '.join(which)}. They go on beside each other: update one after the other, "
            "each when doctor names no followers any more",
        )


def _judge_payload(server: ServerInfo) -> Finding:
    text = f"{server.max_payload:,} bytes of one message"
    if server.max_payload >= _COMMON_ROW:
        return fine("max_payload", text)
    return note(
        "max_payload",
        f"{text}: a larger session is refused, a 503. Write Policy(max_bytes="
        f"{server.max_payload * 7 // 8}), or max_payload: 2MB in the server's configuration",
    )


def _judge_access(server: ServerInfo) -> Finding:
    if server.auth_required or server.tls_verify:
        return fine("access", "the server asks who one is")
    return note(
        "access",
        "the server takes anybody: who reaches its port reads and ends sessions. Write users into "
        "its configuration, or let it listen on this host alone",
    )


def _judge_copies(server: ServerInfo, config: StreamConfig) -> Finding:
    copies = config.num_replicas
    if copies > 1:
        return fine("copies", f"{copies} servers hold the stream {config.name}")
    if not server.cluster:
        return fine("copies", f"one server holds the stream {config.name}, and is one alone")
    return note(
        "copies",
        f"of several servers one alone holds the stream {config.name}: sessions are away, or gone, "
        f"with it. Write: nats stream edit {config.name} --replicas 3",
    )


def _judge_followers(streams: Sequence[StreamInfo]) -> Iterator[Finding]:
    leaders = Counter(info.cluster.leader for info in streams if info.cluster.leader)
    if len(streams) > 1 and leaders:
        shares = (f"{name} {count}" for name, count in sorted(leaders.items()))
        yield fine("leader", f"of {len(streams)} shards: {', '.join(shares)}")
    elif leaders:
        yield fine("leader", next(iter(leaders)))
    late = sorted({name for info in streams for name in late_followers(info)})
    if late:
        yield wrong(
            "followers",
            f"{', '.join(late)}: away, or behind the leader. Should one more fail, everything is a "
            "503, though nothing is lost",
        )


def _judge_storage(config: StreamConfig) -> Iterator[Finding]:
    if config.storage != "file":
        yield note("storage", "in memory: when all of its servers stop, all sessions end")
    if config.discard != "new" and (config.max_bytes > 0 or config.max_msgs > 0):
        yield wrong(
            "discard",
            "a full stream removes the oldest sessions to take new ones, and logs their users out. "
            f"Write: nats stream edit {config.name} --discard new",
        )
