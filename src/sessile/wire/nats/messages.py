"""What is said to JetStream, and what it answers, as in its API's reference."""

from typing import Final

import msgspec

EXPECTED: Final = "Nats-Expected-Last-Subject-Sequence"
EXPECTED_SUBJECT: Final = "Nats-Expected-Last-Subject-Sequence-Subject"
"""Of which subject that is the sequence, where it is not the message's own."""

TTL: Final = "Nats-TTL"
BEAT_TTL: Final = 10
"""Seconds for which a message stays that says nothing but that it was stored."""

BATCH: Final = "Nats-Batch-Id"
BATCH_SEQUENCE: Final = "Nats-Batch-Sequence"
BATCH_COMMIT: Final = "Nats-Batch-Commit"

ACT: Final = "Sessile-Act"
"""A header that no other act's messages have: by it a message is known again."""

PENDING: Final = "Nats-Num-Pending"
"""A header of an answer: how many more messages there are of a kind."""

WRONG_SEQUENCE: Final = frozenset((10071, 10164))
"""A condition of a message does not hold. In a cluster the second one is said of a batch."""

OFFLINE: Final = 10194
"""The server that answers is too old for the stream: it does so where no other one leads that."""

NOT_NOW: Final = frozenset((10008, 10009, 10167, 10176, OFFLINE, 10210, 10211))
"""Nothing has happened, and it will go better: there is no leader now, its servers are busy, or a
batch was begun before a new one."""

NOT_LEADER: Final = "raft: not leader"
"""As NOT_NOW, by a server older than 2.12 that has just stepped down: it has no number for that."""

FULL: Final = 10023
"""The server's disk is full, or its share of it. Of several it leads no longer, once it says so."""

NO_MESSAGE: Final = 10037
NO_STREAM: Final = 10059


class StreamMessage(msgspec.Struct, frozen=True):
    """A message that shall take the place of the one that its subject has.

    Attributes:
        subject: where it is stored.
        data: its bytes.
        expected: the sequence of the message that stands there; 0 where there must be none, None
            where it does not matter.
        lasts: seconds until the server removes it.
    """

    subject: str
    data: bytes
    expected: int | None
    lasts: int

    def headers(self) -> dict[str, str]:
        """Return its condition and its time to live."""
        condition = {} if self.expected is None else {EXPECTED: str(self.expected)}
        return {**condition, TTL: f"{self.lasts}s"}

    def __repr__(self) -> str:
        return f"<StreamMessage for {self.subject} after {self.expected}>"


class ApiError(msgspec.Struct, frozen=True):
    """Why the server did not do it.

    Attributes:
        code: as those of HTTP.
        err_code: of JetStream, one for each reason.
        description: in words; it names streams, subjects and sequences, and no data.
    """

    code: int = 0
    err_code: int = 0
    description: str = ""

    def is_newer_than(self, expected: int | None) -> bool:
        """Tell whether it names a message that came after the one that was expected.

        One that names an older one, or none, may come from a leader that has been cut off and does
        not know yet that there is another, which gets the same message, and may store it.
        """
        _, _, last = self.description.rpartition(": ")
        return expected is not None and last.isdigit() and int(last) > expected

    def __str__(self) -> str:
        update = "; update the servers that are too old for it" if self.err_code == OFFLINE else ""
        return f"{self.description}{update}"


class Answer(msgspec.Struct, frozen=True):
    """What every answer of the server may have.

    Attributes:
        error: None where all is well.
    """

    error: ApiError | None = None


class PublishAnswer(Answer, frozen=True):
    """What is said once a message was stored, or the last one of a batch.

    Attributes:
        seq: its sequence; in a batch the others have those before.
        batch: the name of that, from a server that knows what one is.
    """

    seq: int = 0
    batch: str = ""


class StoredMessage(msgspec.Struct, frozen=True):
    """A message as the server has it.

    Attributes:
        subject: its subject.
        seq: its sequence: no other message of the stream has ever had it.
        data: its bytes.
        hdrs: its headers.
    """

    subject: str
    seq: int
    data: bytes = b""  # which JSON has in base64
    hdrs: bytes = b""

    def __repr__(self) -> str:
        return f"<StoredMessage {self.seq} of {self.subject}>"


class GetAnswer(Answer, frozen=True):
    """What is said to a question for a message.

    Attributes:
        message: None where there is none.
    """

    message: StoredMessage | None = None


class ServerInfo(msgspec.Struct, frozen=True):
    """What a server says of itself when one connects.

    Attributes:
        server_name: its name.
        version: its own.
        cluster: the name of its cluster; empty where it is one alone.
        max_payload: bytes of the largest message.
        auth_required: whether it asks who one is.
        tls_verify: whether it asks for a certificate.
    """

    server_name: str = ""
    version: str = ""
    cluster: str = ""
    max_payload: int = 0
    auth_required: bool = False
    tls_verify: bool = False


class StreamConfig(msgspec.Struct, frozen=True):
    """How a stream is set, as far as it matters here."""

    name: str
    subjects: list[str] = []
    num_replicas: int = 1
    storage: str = "file"
    retention: str = "limits"
    discard: str = "old"
    max_msgs_per_subject: int = -1
    max_age: int = 0
    max_bytes: int = -1
    max_msgs: int = -1
    duplicate_window: int = 0
    allow_msg_ttl: bool = False
    allow_atomic: bool = False
    allow_direct: bool = False
    deny_purge: bool = False
    metadata: dict[str, str] = {}


class StreamState(msgspec.Struct, frozen=True):
    """What a stream holds."""

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0


_SILENT: Final = 2_000_000_000
"""Nanoseconds: a follower says something every second."""


class Replica(msgspec.Struct, frozen=True):
    """A server that follows the leader.

    Attributes:
        name: its name.
        current: whether it has what the leader has, as far as that knows.
        offline: whether the servers know that it is away.
        active: nanoseconds since the leader heard of it.
        lag: how many messages it lacks.
    """

    name: str
    current: bool = False
    offline: bool = False
    active: int = 0
    lag: int = 0

    @property
    def is_away(self) -> bool:
        """Whether its server is not there, as the others know or its leader notices."""
        return self.offline or self.active > _SILENT


class Replicas(msgspec.Struct, frozen=True):
    """The servers that hold a stream."""

    leader: str = ""
    replicas: list[Replica] = []


class StreamNames(Answer, frozen=True):
    """What a server says of all streams.

    Attributes:
        streams: some of their names; None where there is none.
        total: how many there are.
    """

    streams: list[str] | None = None
    total: int = 0


class StreamInfo(Answer, frozen=True):
    """What a server says of a stream.

    Attributes:
        ts: its time.
    """

    config: StreamConfig | None = None
    state: StreamState = StreamState()
    cluster: Replicas = Replicas()
    ts: str = ""
