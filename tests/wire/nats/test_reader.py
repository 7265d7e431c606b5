"""No read of several NATS servers is older than when it was asked for, whatever they go through."""

import asyncio

import pytest

from harness.nats_leader import STREAM, SUBJECT, NatsLeader
from sessile.testing.clock import T0, FakeClock
from sessile.wire.nats.connection import NoResponders
from sessile.wire.nats.endpoint import StreamAddress
from sessile.wire.nats.lease import ELECTION
from sessile.wire.nats.reader import LAST, NatsReader

QUESTION = {LAST: SUBJECT}
OLD, NEW = 5, 7
"""The sequences of the message that an older leader has, and of the one in its place."""


class Servers(NatsLeader):
    """Three servers, and a reader of theirs."""

    def __init__(self, *, is_alone=False):
        super().__init__()
        self.says = NEW
        self.clock = FakeClock(T0)
        self.reader = NatsReader(self, StreamAddress(STREAM, "t."), self.clock, is_alone=is_alone)

    def read(self, question=QUESTION):
        """Return the sequence of what is read, 0 where nothing is."""

        async def read():
            answer = await self.reader.read(question, 1.0)
            for _ in range(5):  # what was begun beside
                await asyncio.sleep(0)
            self.clock.advance(0.01)
            return 0 if answer.message is None else answer.message.seq

        return asyncio.run(read())

    def settle(self):
        """Read until the leader is believed; forget what was asked."""
        for _ in range(2):
            self.read()
        self.asked.clear()
        return self


def test_leader_that_is_believed_is_asked_one_question():
    servers = Servers().settle()
    assert {servers.read() for _ in range(20)} == {NEW}

    assert servers.asked == {"leader": 20}


def test_one_server_alone_is_asked_one_question():
    servers = Servers(is_alone=True)
    assert {servers.read() for _ in range(20)} == {NEW}

    assert servers.asked == {"leader": 20}


def test_leader_is_not_asked_while_an_older_one_may_answer():
    """One server has not answered this one since it leads: it may have led, and hung."""
    servers = Servers()
    servers.followers[0] = 99.0
    assert {servers.read() for _ in range(20)} == {NEW}

    assert servers.asked["anybody"] == servers.asked["beat"] == 20
    assert servers.asked["leader"] == 0


@pytest.mark.parametrize("lacks", [(OLD, 0), (OLD, None), (None, None), (0, 0)])
def test_server_that_lacks_the_beat_is_not_heard(lacks):
    """It may be an old leader, or follow too slowly, or hang: another one is asked."""
    servers = Servers()
    servers.directly = [lacks] * 3
    assert servers.read() == NEW

    assert servers.asked["anybody"] == 4


def test_beat_that_is_too_old_shows_nothing():
    """The server had the one before, and others have stored something since."""
    servers = Servers()
    servers.read()
    servers.directly = [(OLD, servers.seq)]

    assert servers.read() == NEW
    assert servers.seq == 2


def test_message_that_is_not_there_is_not_there():
    servers = Servers()
    servers.says = 0

    assert servers.read() == 0


def test_answer_that_came_after_an_election_is_not_taken():
    """The one who answers may have hung, or the one who asks; another one may lead by then."""
    servers = Servers().settle()

    def hang():
        servers.clock.advance(ELECTION)
        servers.says = NEW

    servers.says, servers.meanwhile = OLD, hang
    with pytest.raises(TimeoutError):
        servers.read()  # there is no time for another one
    servers.meanwhile = bool
    assert servers.read() == NEW


def test_answer_is_not_taken_from_whoever_may_have_been_replaced(monkeypatch):
    """Where there is time for another one, that is the answer."""
    monkeypatch.setattr("sessile.wire.nats.lease.ELECTION", 0.5)
    servers = Servers().settle()

    def hang():
        servers.clock.advance(0.5)
        servers.says = NEW

    servers.says, servers.meanwhile = OLD, hang

    assert servers.read() == NEW
    assert servers.asked["anybody"] == 1


def test_question_of_another_kind_is_put_to_the_leader():
    """Nobody else can be asked what comes next; something was stored lately."""
    servers = Servers()
    question = {"seq": 1, "next_by_subj": "t.s.*"}
    assert [servers.read(question) for _ in range(5)] == [NEW] * 5

    assert (servers.asked["leader"], servers.asked["beat"]) == (5, 1)
    assert servers.asked["anybody"] == 0


def test_stream_that_is_full_is_read():
    """It takes no beat."""
    servers = Servers()
    servers.stores = {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}

    assert servers.read() == NEW
    assert servers.asked == {"leader": 1, "beat": 1}


def test_server_that_never_shows_the_beat_is_given_up():
    """Within the time limit; ``wire.nats.lane`` goes to another one."""
    servers = Servers()
    servers.directly = [(OLD, 0)] * 1000
    ask = servers.ask_all

    async def ask_all(*args):
        servers.clock.advance(0.1)
        return await ask(*args)

    servers.ask_all = ask_all
    with pytest.raises(TimeoutError):
        servers.read()
    assert servers.asked["anybody"] > 5


NO_LEADER = {"code": 503, "err_code": 10008, "description": "no leader"}


def test_leader_that_has_gone_is_told():
    """Whichever it is that it does not do any more."""
    servers = Servers()
    servers.stores = NO_LEADER
    with pytest.raises(NoResponders, match="no leader"):
        servers.read()
    servers.stores = None
    servers.settle()
    servers.refuses = NO_LEADER
    with pytest.raises(NoResponders, match="no leader"):
        servers.read()
