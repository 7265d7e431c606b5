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
        self.stands = NEW
        self.clock = FakeClock(T0)
        self.reader = NatsReader(self, StreamAddress(STREAM, "t."), self.clock, is_alone=is_alone)

    def read(self, question=QUESTION, number=1):
        """Return the sequence of what is read, so often at once; 0 where nothing is."""

        async def read():
            reads = (self.reader.read(question, 1.0) for _ in range(number))
            answers = await asyncio.gather(*reads)
            for _ in range(5):  # what was begun beside
                await asyncio.sleep(0)
            self.clock.advance(0.01)
            found = [each.message.seq if each.message else 0 for each in answers]
            return found if number > 1 else found[0]

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

    assert servers.asked == {"read": 20}


def test_one_server_alone_is_asked_one_question():
    servers = Servers(is_alone=True)
    assert {servers.read() for _ in range(20)} == {NEW}

    assert servers.asked == {"read": 20}


def test_what_is_read_is_confirmed_while_an_older_leader_may_answer():
    """One server has not answered this one since it leads: it may have led, and hung."""
    servers = Servers()
    servers.followers[0] = 99.0
    assert {servers.read() for _ in range(20)} == {NEW}

    assert servers.asked["read"] == servers.asked["beat"] == 20


@pytest.mark.parametrize("old", [OLD, 0])
def test_what_is_not_confirmed_is_not_taken(old):
    """It is read again, until the one who answers is the one who stores."""
    servers = Servers()
    servers.says = [old] * 3

    assert servers.read() == NEW
    assert servers.asked["read"] == 4


def test_message_that_is_not_there_is_confirmed_as_well():
    """An older leader may have what is gone."""
    servers = Servers()
    servers.stands, servers.says = 0, [OLD]

    assert servers.read() == 0
    assert servers.asked == {"read": 2, "beat": 2}


def test_answer_that_came_after_an_election_is_not_taken():
    """The one who answers may have hung, or the one who asks; another one may lead by then."""
    servers = Servers().settle()
    servers.says, servers.meanwhile = [OLD], lambda: servers.clock.advance(ELECTION)
    with pytest.raises(TimeoutError):
        servers.read()  # there is no time for another one
    servers.meanwhile = bool
    assert servers.read() == NEW


def test_answer_is_not_taken_from_whoever_may_have_been_replaced(monkeypatch):
    """Where there is time for another one, that is the answer."""
    monkeypatch.setattr("sessile.wire.nats.lease.ELECTION", 0.2)
    servers = Servers().settle()
    servers.says, servers.meanwhile = [OLD], lambda: servers.clock.advance(0.2)

    assert servers.read() == NEW
    assert servers.asked["read"] == 2


def test_many_who_read_one_message_confirm_it_together():
    """Two at once would disturb each other. Who comes while it is confirmed has the next one."""
    servers = Servers()
    assert servers.read(number=10) == [NEW] * 10
    assert servers.asked["beat"] == 2

    later = []

    def change():
        servers.meanwhile, servers.stands = bool, NEW + 1  # it is not confirmed before
        later.append(asyncio.create_task(servers.reader.read(QUESTION, 1.0)))

    async def come_later():
        servers.meanwhile = change
        first = await servers.reader.read(QUESTION, 1.0)
        return first.message.seq, (await later[0]).message.seq

    servers.followers[0] = 99.0
    servers.reader = NatsReader(servers, StreamAddress(STREAM, "t."), servers.clock, is_alone=False)
    assert asyncio.run(come_later()) == (NEW + 1, NEW + 1)
    assert servers.asked["read"] == 5


def test_question_of_another_kind_is_put_to_the_leader():
    """Nobody confirms what comes next; something was stored lately."""
    servers = Servers()
    question = {"seq": 1, "next_by_subj": "t.s.*"}
    assert [servers.read(question) for _ in range(5)] == [NEW] * 5

    assert (servers.asked["read"], servers.asked["beat"]) == (5, 1)


def test_stream_that_is_full_is_read():
    """It takes no beat."""
    servers = Servers()
    servers.stores = {"code": 503, "err_code": 10077, "description": "maximum bytes exceeded"}

    assert servers.read() == NEW
    assert servers.asked == {"read": 1, "beat": 1}


def test_stream_that_is_not_there_is_told():
    """It is not what a message could be compared with."""
    servers = Servers()
    servers.refuses = {"code": 404, "err_code": 10059, "description": "stream not found"}

    assert servers.read() == 0
    assert servers.asked == {"read": 1}


def test_message_that_is_never_confirmed_is_given_up():
    """Within the time limit."""
    servers = Servers()
    servers.says, servers.meanwhile = [OLD] * 1000, lambda: servers.clock.advance(0.1)
    with pytest.raises(TimeoutError):
        servers.read()

    assert servers.asked["read"] > 5


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
