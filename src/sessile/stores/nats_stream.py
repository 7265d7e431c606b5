"""The stream that holds the sessions: how it is set, made and looked at.

It is made with the first act, by a user who may. Each subject has one message, the newest.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from sessile.core.value import Instant
from sessile.errors import StoreUnavailable
from sessile.stores.nats_url import NatsPlace
from sessile.wire.nats.client import NatsClient
from sessile.wire.nats.messages import (
    NO_STREAM,
    Answer,
    ApiError,
    GetAnswer,
    ServerInfo,
    StreamConfig,
    StreamInfo,
    StreamMessage,
)

A = TypeVar("A", bound=Answer)

_IN_CLUSTER: Final = 3

_SHARDS: Final = "sessile-shards"
"""The name under which a stream's metadata say of how many shards it is one."""

_OLDER: Final = "where a server older than 2.12 leads it, update that one; else "
"""What helps where the leader says nothing of batches, as one does that knows none."""

_OVERLAP: Final = 10065  # another stream has its subjects
_TAKEN: Final = 10058  # a stream of that name is there, set otherwise


class NatsStream:
    """One stream.

    Args:
        client: of its servers.
        place: its name.
        first: the first one of its shards, if it is another one: none is made but beside that.
    """

    def __init__(
        self, client: NatsClient, place: NatsPlace, first: "NatsStream | None" = None
    ) -> None:
        self._client, self._place, self._first = client, place, first
        self._address = place.address
        self._is_known = False

    async def make_ready(self) -> None:
        """Make the stream if there is none; the first time it is looked at besides.

        Raises:
            StoreUnavailable: it cannot be made, or is set so that it keeps no sessions.
        """
        if not self._is_known:
            info = await self.info()
            if info.config is None:
                await self.make()
            else:
                self._check(info.config)
            self._is_known = True

    def forget(self) -> None:
        """Look at it again before the next act: it was not there."""
        self._is_known = False

    async def info(self) -> StreamInfo:
        """Ask the server about the stream; without a configuration there is none."""
        told = await self.ask("info", "STREAM.INFO", b"", StreamInfo)
        if told.error is not None and told.error.err_code != NO_STREAM:
            raise self.failure(told.error)
        return told

    async def time(self) -> Instant:
        """Return the time of its leader."""
        await self.make_ready()
        return datetime.fromisoformat((await self.info()).ts).timestamp()

    async def make(self) -> None:
        """Make the stream, if nobody else has meanwhile."""
        if self._first is not None:  # which says how many shards there are
            self._first.forget()  # that may be another one by now: this one has gone, or never was
            await self._first.make_ready()
        copies = self._place.copies
        if copies is None:
            copies = _IN_CLUSTER if (await self.server()).cluster else 1
        told = await self.ask("init", "STREAM.CREATE", self._config(copies), StreamInfo)
        if told.error is not None and told.error.err_code != _TAKEN:
            raise self._explain(told.error, copies)
        info = await self.info()
        if info.config is None:
            raise StoreUnavailable(self._client.name, "the stream is being made; ask again")
        self._check(info.config)

    async def server(self) -> ServerInfo:
        """Ask the server that we are connected to about itself."""
        return await self._client.ask("nats server", lambda lane: lane.server())

    async def servers(self) -> list[ServerInfo]:
        """Ask all servers that the URL names about themselves, that one first."""
        return await self._client.ask("nats servers", lambda lane: lane.servers())

    async def store(self, what: str, *messages: StreamMessage) -> int | None:
        """Store messages as one act; return a sequence, or None where a rival was faster."""
        await self.make_ready()
        address = self._address
        try:
            return await self._client.ask(
                f"nats {what}", lambda lane: lane.store(address, messages)
            )
        except StoreUnavailable:
            self.forget()  # it may be gone, which a message's answer does not tell
            raise

    async def purge(self, subjects: str | None = None) -> None:
        """Remove every message, or those under some subjects, as one act."""
        question = msgspec.json.encode({} if subjects is None else {"filter": subjects})
        told = await self.ask("purge", "STREAM.PURGE", question, Answer, is_harmless=False)
        if told.error is not None:
            raise self.failure(told.error)

    async def ask(
        self, what: str, verb: str, data: bytes, kind: type[A], *, is_harmless: bool = True
    ) -> A:
        """Ask JetStream's API about the stream."""
        subject = f"$JS.API.{verb}.{self._place.stream}"
        return await self._client.ask(
            f"nats {what}", lambda lane: lane.ask(subject, data, kind, is_harmless=is_harmless)
        )

    async def get(self, question: Mapping[str, str | int], what: str = "get") -> GetAnswer:
        """Ask for a message, with all that was acknowledged before."""
        address = self._address
        try:
            return await self._client.ask(f"nats {what}", lambda lane: lane.read(address, question))
        except StoreUnavailable:
            self.forget()  # it may be gone
            raise

    async def ask_directly(self, what: str, data: bytes) -> dict[str, str]:
        """Ask any of the stream's servers for a message; return the headers of the answer."""
        subject = f"$JS.API.DIRECT.GET.{self._place.stream}"
        return await self._client.ask(f"nats {what}", lambda lane: lane.ask_directly(subject, data))

    def failure(self, error: ApiError) -> StoreUnavailable:
        """Return the error for what the server refuses."""
        why = f"the stream {self._place.stream}: {error.description} ({error.err_code})"
        return StoreUnavailable(self._client.name, why)

    def no_index(self, subject: str) -> StoreUnavailable:
        """Return the error for an owner's index that is none."""
        return StoreUnavailable(
            self._client.name,
            f"what is stored as {subject} is no index of a user's sessions, or that of a newer "
            "version. Remove that message: each session enters the index again as it is used",
        )

    def _config(self, copies: int) -> bytes:
        return msgspec.json.encode(config_of(self._place, copies))

    def _explain(self, error: ApiError, copies: int) -> StoreUnavailable:
        failure = self.failure(error)
        if error.err_code == _OVERLAP:
            return StoreUnavailable(
                self._client.name,
                f"{failure.why}. A bucket is of one kind: backup:// needs another one than nats:// "
                "and replicated://; write it into the URL's path",
            )
        if copies == 1:
            return failure
        return StoreUnavailable(
            self._client.name,
            f"{failure.why}. It was to be held by {copies} servers: with fewer write ?copies=1, "
            "and know that sessions are gone with the one that has them",
        )

    def _check(self, config: StreamConfig) -> None:
        wanted = config_of(self._place, 1)
        shards = config.metadata.get(_SHARDS)
        if shards is not None and str(self._place.shards) not in ("0", shards):
            raise StoreUnavailable(
                self._client.name,
                f"the stream {self._place.stream} is one of {shards} shards: write shards={shards} "
                "into the URL, or another bucket into its path",
            )
        fields = ["max_msgs_per_subject", "allow_msg_ttl", "deny_purge", "max_age"]
        fields += ["allow_atomic"] if wanted.allow_atomic else []  # else it does not matter
        wrong = [
            f"{name}={getattr(wanted, name)}"
            for name in fields
            if getattr(config, name) != getattr(wanted, name)
        ]
        wrong += (
            [] if set(wanted.subjects) <= set(config.subjects) else [f"subjects={wanted.subjects}"]
        )
        if self._place.shards and shards is None:
            wrong.append(f"metadata={wanted.metadata}")
        if wrong:
            older = _OLDER if wanted.allow_atomic and not config.allow_atomic else ""
            raise StoreUnavailable(
                self._client.name,
                f"the stream {self._place.stream} is not one that sessile has made: it needs "
                f"{', '.join(wrong)}; {older}write another bucket into the URL's path, or remove "
                "it",
            )


def config_of(place: NatsPlace, copies: int) -> StreamConfig:
    """Return how the stream is set.

    Args:
        place: its name.
        copies: how many servers hold it.
    """
    return StreamConfig(
        place.stream,
        subjects=[f"{place.subjects}>"],
        num_replicas=copies,
        discard="new",  # a full stream refuses whoever comes, and ends nobody
        max_msgs_per_subject=1,
        duplicate_window=_SECOND,
        allow_msg_ttl=True,
        allow_atomic=not place.shards,
        allow_direct=True,
        metadata={_SHARDS: str(place.shards)} if place.shards else {},
    )


_SECOND: Final = 1_000_000_000
