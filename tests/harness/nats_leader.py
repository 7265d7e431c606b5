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

    headers = None

    def __init__(self, told):
        self.data = json.dumps(told).encode()


class NatsLeader:
    """A leader, and those that follow it.

    Attributes:
        asked: how often each thing was.
        seq: of the last message.
        stores: what it says of a beat; None for that it is stored, ``silence`` for nothing.
        followers: seconds since each was heard.
        stands: the sequence of the message that stands there; 0 for none.
        says: those that whoever answers has of it, one read after the other; then ``stands``.
        refuses: what it says of a message; None for that it has one.
        meanwhile: called when the leader is asked for a message, or who follows it.
    """

    silence = "silence"
    is_open = True

    def __init__(self):
        self.asked, self.seq, self.stores, self.refuses = Counter(), 0, None, None
        self.followers, self.stands, self.says = [0.001, 0.001], 7, []
        self.meanwhile = bool

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
            return Told(self._read())
        self.asked["beat"] += 1
        if self.stores == self.silence:
            await asyncio.Event().wait()
        if self.stores is not None:
            return Told({"error": self.stores})
        expected = headers.get("Nats-Expected-Last-Subject-Sequence", str(self.stands))
        assert headers.get("Nats-Expected-Last-Subject-Sequence-Subject", SUBJECT) == SUBJECT
        if expected != str(self.stands):
            return Told({"error": {"err_code": 10071, "description": "wrong last sequence: 7"}})
        self.seq += 1
        return Told({"seq": self.seq})

    def _read(self):
        self.asked["read"] += 1
        seq = self.says.pop(0) if self.says else self.stands
        self.meanwhile()
        if self.refuses is not None:
            return {"error": self.refuses}
        if not seq:
            return {"error": {"code": 404, "err_code": 10037, "description": "no message found"}}
        blob = b64encode(b"x").decode()
        return {"message": {"subject": SUBJECT, "seq": seq, "data": blob}}
