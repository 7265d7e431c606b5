"""How statistics are printed: lines for people, one JSON object for programs."""

import json
from collections.abc import Iterator
from typing import Final, TypeAlias

import typer

from sessile.cli.printable import printable
from sessile.cli.times import relative_time, timestamp
from sessile.service.statistics import AGES, Statistics
from sessile.stores.contract import Extent, Instant, StoreSize

Figure: TypeAlias = str | int | bool | None

_OF: Final = {
    Extent.STORE: "with their indexes",
    Extent.FILE: "of the file",
    Extent.SERVER: "of the whole server",
}


def print_figures(where: str, counted: Statistics | None, size: StoreSize | None) -> None:
    """Print a line for each figure, with times as people say them.

    Args:
        where: the sessions are.
        counted: what all records add up to; None where nobody counted.
        size: what the store says of itself; None where it says nothing.
    """
    lines = [("store", printable(where))]
    lines += [] if counted is None else _lines_of(counted)
    lines += [] if size is None else [("itself", _say_size(size))]
    for name, text in lines:
        typer.echo(f"{name:<12}{text}")


def print_figures_json(where: str, counted: Statistics | None, size: StoreSize | None) -> None:
    """Print the same as a JSON object; what is not known is left out."""
    figures: dict[str, Figure] = {"store": where}
    figures |= {} if counted is None else _figures_of(counted)
    figures |= {} if size is None else _figures_of_store(size)
    typer.echo(json.dumps(figures))


def _lines_of(found: Statistics) -> Iterator[tuple[str, str]]:
    live, users = found.live, f"{_about(found.users.is_estimate)}{found.users.number:,}"
    visitors = f"{found.of_visitors:,} of visitors"
    yield "sessions", f"{live.number:,} live: {found.of_users:,} of {users} users, {visitors}"
    yield "expired", f"{found.expired:,} still there"
    yield "others", f"{found.others:,}: tombstones, evidence, lists of devices"
    yield "malformed", f"{found.malformed:,}"
    yield "bytes", f"{live.bytes:,} in live sessions, {found.all.bytes:,} in all records"
    if live.number:
        largest = f"{live.largest:,} the largest, {live.largest_key}"
        yield "size", f"{live.mean:,} bytes on average; {largest}"
    if found.oldest is not None and found.newest is not None:
        yield "oldest", _say_time(found.oldest, found.now)
        yield "newest", _say_time(found.newest, found.now)
        young = (f"{found.ages[name]:,} under a{'n' * (name == 'hour')} {name}" for name, _ in AGES)
        yield "age", f"{', '.join(young)}, {found.ages['older']:,} older"


def _say_time(instant: Instant, now: Instant) -> str:
    return f"{timestamp(instant)}  ({relative_time(instant, now)})"


def _say_size(size: StoreSize) -> str:
    records = f"{_about(size.is_estimate)}{size.records:,}"
    what = "items of the whole server" if size.records_of is Extent.SERVER else "records"
    if size.bytes is None:
        return f"{records} {what}; nobody may ask for the bytes"
    return f"{records} {what}; {size.bytes:,} bytes {_OF[size.bytes_of]}"


def _about(is_estimate: bool) -> str:
    return "about " if is_estimate else ""


def _figures_of(found: Statistics) -> dict[str, Figure]:
    live = found.live
    figures: dict[str, Figure] = {
        "sessions": live.number,
        "of_users": found.of_users,
        "users": found.users.number,
        "users_is_estimate": found.users.is_estimate,
        "of_visitors": found.of_visitors,
        "expired": found.expired,
        "others": found.others,
        "malformed": found.malformed,
        "bytes": live.bytes,
        "mean_bytes": live.mean,
        "largest_bytes": live.largest,
        "largest": live.largest_key,
        "all_bytes": found.all.bytes,
        "oldest": None if found.oldest is None else timestamp(found.oldest),
        "newest": None if found.newest is None else timestamp(found.newest),
    }
    ages = (*(name for name, _ in AGES), "older")
    return figures | {f"age_{name}": found.ages[name] for name in ages}


def _figures_of_store(size: StoreSize) -> dict[str, Figure]:
    return {
        "store_records": size.records,
        "store_records_is_estimate": size.is_estimate,
        "store_records_of": size.records_of.value,
        "store_bytes": size.bytes,
        "store_bytes_of": size.bytes_of.value,
    }
