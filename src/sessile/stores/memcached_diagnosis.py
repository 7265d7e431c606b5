"""What ``sessile doctor`` asks memcached servers: what ends sessions there, or lets people in."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from sessile.stores.finding import Finding, fine, note, wrong

Told: TypeAlias = Mapping[str, str]

_OLDEST: Final = (1, 5)
"""The first version that removes what is over before it evicts what is not."""

_NEARLY_FULL: Final = 0.9
"""Of ``limit_maxbytes``."""

_COMMON_ITEM: Final = 1 << 20
_HOUR: Final = 3600
_DAY: Final = 86_400


def diagnose(told: Mapping[str, tuple[Told, Told]]) -> list[Finding]:
    """Judge what servers told of themselves. What is the same of all of them is said once.

    Args:
        told: the figures and the settings of each server, by its place.
    """
    found: dict[Finding, list[str]] = {}
    for place, (stats, settings) in told.items():
        for finding in _judge(stats, settings, is_socket=place.startswith("/")):
            found.setdefault(finding, []).append(place)
    return [
        finding if len(places) == len(told) else _at(places, finding)
        for finding, places in sorted(found.items(), key=lambda item: item[0].subject)
    ]


def _judge(stats: Told, settings: Told, *, is_socket: bool) -> list[Finding]:
    address = settings.get("inter", "NULL")
    return [
        _judge_version(stats.get("version", "")),
        _judge_memory(stats, settings),
        _judge_items(settings),
        _judge_tokens(settings),
        _judge_disk(stats),
        _judge_access(address, is_socket=is_socket),
    ]


def _judge_version(version: str) -> Finding:
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers >= _OLDEST:
        return fine("version", version)
    return wrong("version", f"{version or 'no version'}; sessile needs memcached 1.5 or newer")


def _judge_memory(stats: Told, settings: Told) -> Finding:
    used, most = _number(stats, "bytes"), _number(stats, "limit_maxbytes")
    text = f"{_megabytes(used)} of {_megabytes(most)} in use"
    evicted = _number(stats, "evictions")
    if evicted:
        return wrong(
            "memory",
            f"{text}; {evicted} items were evicted, which logs out whose sessions they were: start "
            "it with more, as memcached -m 1024",
        )
    if settings.get("evictions") == "off":
        return note("memory", f"{text}; when it is full it refuses logins (-M), a 503")
    if most and used >= _NEARLY_FULL * most:
        return wrong(
            "memory",
            f"{text}: soon it evicts sessions; start it with more, as memcached -m 1024",
        )
    return fine("memory", f"{text}; nothing was evicted")


def _judge_items(settings: Told) -> Finding:
    most = _number(settings, "item_size_max")
    text = f"a session may have {_megabytes(most)}; a larger one is refused, a 503"
    if most >= _COMMON_ITEM:
        return fine("item size", text)
    return note("item size", f"{text}: start it with a larger limit, as memcached -I 1m")


def _judge_tokens(settings: Told) -> Finding:
    if settings.get("cas_enabled", "yes") == "yes":
        return fine("cas", "the server compares before it changes a session")
    return wrong("cas", "it compares nothing (-C), so no session can change: start it without")


def _judge_disk(stats: Told) -> Finding:
    seconds = _number(stats, "uptime")
    days, hours = divmod(seconds // _HOUR, _DAY // _HOUR)
    since = f"{days} days" if days else f"{hours} hours"
    return note("disk", f"nothing is kept: a restart logs everybody out; it has run for {since}")


def _judge_access(address: str, *, is_socket: bool) -> Finding:
    text = "there is no password: whoever reaches it reads and ends sessions"
    if is_socket:
        return note("access", f"a socket of this host; {text}")
    if all(_is_loopback(each) for each in address.split(",")):
        return note("access", f"it listens on this host alone; {text}")
    where = "every address" if address == "NULL" else address
    return note(
        "access",
        f"it listens on {where}; {text}, so let a firewall admit your servers and nobody else",
    )


def _at(places: list[str], finding: Finding) -> Finding:
    return Finding(finding.mark, finding.subject, f"{', '.join(places)}: {finding.message}")


def _number(told: Told, name: str) -> int:
    text = told.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else 0


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip().strip("[]")).is_loopback
    except ValueError:
        return address.strip() == "localhost"


def _megabytes(number: int) -> str:
    return f"{number / 1_000_000:.1f} MB"
