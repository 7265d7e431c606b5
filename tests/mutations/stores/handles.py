"""Stores whose handles, names or ends are wrong, and stores that talk too much."""

import inspect
from collections import ChainMap

from harness.reference_store import FileStore, ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.flow import Ask
from sessile.core.state import SessionState
from sessile.core.ticket import Ticket
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.stores.contract import COMMITTED, Record


@breaks("other_handle_reads_what_was_written", "read_record_is_a_copy")
class TrustsItsOwnCopy(ReferenceStore):
    def __init__(self, *where, **more):
        super().__init__(*where, **more)
        self.copies = {}

    def put(self, record):
        super().put(record)
        self.copies.pop(record.key, None)

    def remove(self, key, owner):
        self.copies.pop(key, None)
        return super().remove(key, owner)

    async def read(self, key):
        found = await super().read(key)
        return self.copies.setdefault(key, found) if isinstance(found, Record) else found


@breaks(
    "commit_from_the_future_is_refused",
    "handles_conflict_with_each_other",
    "tombstone_stands_under_the_old_key",
    "what_is_left_takes_no_late_commit",
)
class HasVersionsOfItsOwn(ReferenceStore):
    def __init__(self, *where, **more):
        super().__init__(*where, **more)
        self.versions = {}

    def swap(self, change):
        key, current = change.record.key, self.get(change.record.key)
        there = isinstance(current, Record)
        if there and self.versions.setdefault(key, change.expected) == change.expected:
            self.versions[key] = change.record.version
            self.put(change.record)
            return COMMITTED
        return super().swap(change)


@breaks("handles_share_an_index", "limits_forget_the_ended_everywhere")
class HasAnIndexOfItsOwn(ReferenceStore):
    def __init__(self, *where, **more):
        super().__init__(*where, **more)
        self.owners = {}


@breaks(
    "ended_stay_ended_after_a_restart", "handle_outlives_the_other", "sessions_survive_a_restart"
)
class ClosesTheServer(ReferenceStore):
    async def close(self):
        await super().close()
        self.server.stopped = True


@breaks(
    "ended_stay_ended_after_a_restart", "handle_outlives_the_other", "sessions_survive_a_restart"
)
class ForgetsAtTheEnd(ReferenceStore):
    async def close(self):
        await super().close()
        self.rows.clear()


@breaks("end_stays_at_home", "one_key_is_two_records", "scan_stays_at_home", "sweep_stays_at_home")
class SharesOneTable(ReferenceStore):
    def __init__(self, server, prefix="", password=""):
        super().__init__(server, prefix and "a", password)
        self.owners = server.owners[prefix]


@breaks("one_name_is_two_owners")
class SharesOneIndex(ReferenceStore):
    def __init__(self, server, prefix="", password=""):
        super().__init__(server, prefix, password)
        self.owners = server.owners["all"]

    def owned(self, owner, cursor, batch):
        mine, self.rows = self.rows, ChainMap(*self.server.rows.values())
        try:
            return super().owned(owner, cursor, batch)
        finally:
            self.rows = mine


@breaks("scan_stays_at_home")
class ScansEveryPrefix(ReferenceStore):
    def page(self, cursor, batch):
        mine, self.rows = self.rows, ChainMap(*self.server.rows.values())
        try:
            return super().page(cursor, batch)
        finally:
            self.rows = mine


@breaks("sweep_stays_at_home")
class SweepsEveryPrefix(ReferenceStore):
    def clean(self, now, batch):
        mine, swept = self.rows, 0
        for rows in self.server.rows.values():
            self.rows = rows
            swept += super().clean(now, batch - swept)
        self.rows = mine
        return swept


class Eavesdropping(ReferenceStore):
    """Notes what it finds in the frames of its callers, as a careless error reporter does."""

    def heard(self, value):
        raise NotImplementedError

    async def commit(self, change):
        self.listen()
        return await super().commit(change)

    async def replace(self, replacement):
        self.listen()
        return await super().replace(replacement)

    def listen(self):
        frame = inspect.currentframe()
        while frame:
            for value in frame.f_locals.values():
                self.server.notes[len(self.server.notes)] = self.heard(value)
            frame = frame.f_back


@breaks("dump_holds_no_ticket")
class KeepsTickets(Eavesdropping):
    def heard(self, value):
        return value.verifier if isinstance(value, Ticket) else None


@breaks("dump_holds_no_ticket")
class KeepsCookies(Eavesdropping):
    def heard(self, value):
        return value.reveal() if isinstance(value, Ticket) else None


@breaks("dump_holds_no_value_in_plain")
class KeepsPlainValues(Eavesdropping):
    def heard(self, value):
        return value.values.delta().set if isinstance(value, SessionState) else None


@breaks("failure_shows_no_secret")
class HoldsTicketsWhileItWaits(ReferenceStore):
    async def replace(self, replacement):
        heard, frame = [], inspect.currentframe()
        while frame:
            heard += [one.reveal() for one in frame.f_locals.values() if isinstance(one, Ticket)]
            frame = frame.f_back
        return await super().replace(replacement)


@breaks("password_is_not_shown")
class HoldsThePasswordWhileItFails(ReferenceStore):
    def __init__(self, server, prefix="", password=""):
        super().__init__(server, prefix, password)
        self.password = password

    async def ping(self):
        password = self.password
        await super().ping()
        self.password = password


@breaks("password_is_not_shown")
class ShowsThePassword(ReferenceStore):
    def __init__(self, server, prefix="", password=""):
        super().__init__(server, prefix, password)
        self.name = f"reference://:{password}@server"


@breaks("password_is_not_shown")
class QuotesThePassword(ReferenceStore):
    def reach(self):
        if self.server.stopped:
            raise ConnectionRefusedError(f"nobody takes {self.password!r}")
        super().reach()


@breaks("store_has_the_shape_of_the_contract")
class HasNoName(ReferenceStore):
    def __init__(self, *where, **more):
        super().__init__(*where, **more)
        self.name = ""


@breaks("network_store_keeps_no_secret", "store_has_the_shape_of_the_contract")
class LacksAMethod(ReferenceStore):
    keep_secret = None  # type: ignore[assignment]


@breaks(
    "closed_store_says_so",
    "frozen_server_is_unavailable_in_time",
    "login_that_was_given_up_is_not_carried_out_later",
    "open_store_answers",
    "store_can_be_opened_before_its_server",
    "store_heals",
)
class NeverAnswers(ReferenceStore):
    async def ping(self):
        await super().ping()
        raise StoreUnavailable(self.name, "ping is not a command")


@breaks(
    "both_colours_are_one_store",
    "closed_index_says_so",
    "closed_scan_says_so",
    "closed_size_says_so",
    "closed_store_says_so",
    "closing_twice_is_no_error",
    "ended_stay_ended_after_a_restart",
    "handle_outlives_the_other",
    "sessions_survive_a_restart",
    "unused_store_can_be_closed",
)
class ClosesOnce(ReferenceStore):
    async def close(self):
        if self.closed:
            raise StoreClosed("reference store")
        await super().close()


@breaks(
    "closed_index_says_so",
    "closed_scan_says_so",
    "closed_size_says_so",
    "network_store_keeps_no_secret",
    "store_has_the_shape_of_the_contract",
    "unused_store_can_be_closed",
)
class CannotCloseUnused(ReferenceStore):
    def perform(self, call):
        self.used = True
        return super().perform(call)

    async def close(self):
        assert self.used
        await super().close()


@breaks(
    "closed_index_says_so",
    "closed_scan_says_so",
    "closed_size_says_so",
    "closed_store_says_so",
)
class ReopensItself(ReferenceStore):
    def perform(self, call):
        self.closed = False
        return super().perform(call)


@breaks("closed_index_says_so")
class ReopensItsIndex(ReferenceStore):
    def ask(self, what, call):
        self.closed = self.closed and what != "owned_by"
        return super().ask(what, call)


@breaks("closed_index_says_so")
class ReopensForDeletions(ReferenceStore):
    def ask(self, what, call):
        self.closed = self.closed and what != "delete_owned"
        return super().ask(what, call)


@breaks("closed_index_says_so", "closed_store_says_so")
class ReopensForLogins(ReferenceStore):
    def ask(self, what, call):
        self.closed = self.closed and what != "replace"
        return super().ask(what, call)


@breaks("closed_scan_says_so")
class ReopensForScans(ReferenceStore):
    def ask(self, what, call):
        self.closed = self.closed and what != "scan"
        return super().ask(what, call)


@breaks("closed_scan_says_so")
class ReopensToCount(ReferenceStore):
    def ask(self, what, call):
        self.closed = self.closed and what != "count"
        return super().ask(what, call)


@breaks("both_colours_are_one_store")
class HasOneColour(ReferenceStore):
    colour: str | None = None

    def ask(self, what, call):
        ask = super().ask(what, call)
        block, wait = ask.block, ask.wait

        def colour(name, act):
            self.colour = self.colour or name
            assert self.colour == name
            return act()

        return Ask(what, lambda: colour("blocking", block), lambda: colour("async", wait))


@breaks("network_store_keeps_no_secret")
class KeepsASecretOfItsOwn(ReferenceStore):
    def keep_secret(self, fresh):
        return fresh


@breaks("handles_share_a_secret", "local_store_keeps_its_first_secret")
class KeepsTheLastSecret(FileStore):
    def keep_secret(self, fresh):
        return fresh


@breaks("handles_share_a_secret")
class KeepsASecretForEachHandle(FileStore):
    def keep_secret(self, fresh):
        self.secret = getattr(self, "secret", fresh)
        return self.secret
