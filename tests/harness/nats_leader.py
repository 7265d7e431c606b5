"""A connection to servers of NATS that a test steps: what they say, and what they were asked."""

import asyncio
import json
from base64 import b64encode
from collections import Counter

SECOND = 1_000_000_000
STREAM = "s"
SUBJECT = "t.s.one"


class Told:
    """What a connection hands out."""

    def __init__(self, told=None, headers=None, data=b""):
        self.data, self.headers = data if told is None else json.dumps(told).encode(), headers


class NatsLeader:
    """A leader, and those that follow it.

    Attributes:
        asked: how often each thing was.
        seq: of the last message.
        stores: what it says of a beat; None for that it is stored, ``silence`` for nothing.
        followers: seconds since each was heard.
        says: the sequence that the leader's message has, which may be an older one's.
        directly: the sequences that other servers show, of the message and of the beat: those of
            one server after the other, then those of the leader.
        refuses: what it says of a message; None for that it has one.
        meanwhile: called when the leader is asked for a message, or who follows it.
    """

    silence = "silence"
    is_open = True

    def __init__(self):
        self.asked, self.seq, self.stores, self.refuses = Counter(), 0, None, None
        self.followers, self.says, self.directly = [0.001, 0.001], 7, []
        self.meanwhile = bool
        self.beat = ""

    async def ask(self, subject, data, headers, limit):
        """Answer one question."""
        await asyncio.sleep(0)
        if "STREAM.INFO" in subject:
            self.asked["look"] += 1
            self.meanwhile()
            ages = [
                {"name": str(n), "active": int(s * SECOND)} for n, s in enumerate(self.followers)
            ]
            return Told({"state": {"last_seq": self.seq}, "cluster": {"replicas": ages}})
        if "MSG.GET" in subject:
            self.asked["leader"] += 1
            self.meanwhile()
            if self.refuses is not None:
                return Told({"error": self.refuses})
            found = {"subject": SUBJECT, "seq": self.says, "data": b64encode(b"x").decode()}
            return Told({"message": found})
        self.asked["beat"] += 1
        self.beat = subject
        if self.stores == self.silence:
            await asyncio.Event().wait()
        if self.stores is not None:
            return Told({"error": self.stores})
        self.seq += 1
        return Told({"seq": self.seq})

    async def ask_all(self, subject, data, limit):
        """Answer one question to any server."""
        await asyncio.sleep(0)
        assert json.loads(data) == {"multi_last": [SUBJECT, self.beat]}
        self.asked["anybody"] += 1
        message, beat = self.directly.pop(0) if self.directly else (self.says, self.seq)
        if message is None and beat is None:
            raise TimeoutError
        found = [(SUBJECT, message, b"x"), (self.beat, beat, b"")]
        return [
            Told(headers={"Nats-Subject": name, "Nats-Sequence": str(seq)}, data=blob)
            for name, seq, blob in found
            if seq
        ]
