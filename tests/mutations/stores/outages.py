"""Stores that are wrong when their server is in trouble."""

import asyncio
from typing import Any

from harness.reference_store import ReferenceStore
from mutations.stores.registry import WATCH, breaks
from sessile.core.flow import Ask
from sessile.errors import StoreUnavailable
from sessile.stores.contract import GONE


@breaks("stopped_server_is_unavailable", "store_heals")
class SwallowsOutages(ReferenceStore):
    async def read(self, key):
        try:
            return await super().read(key)
        except StoreUnavailable:
            return None


@breaks("login_that_was_given_up_is_not_carried_out_later", "stopped_server_is_unavailable")
class SaysGoneWhenItIsDown(ReferenceStore):
    async def replace(self, replacement):
        try:
            return await super().replace(replacement)
        except StoreUnavailable:
            return GONE


@breaks(
    "frozen_server_is_unavailable_in_time",
    "late_answer_goes_to_nobody",
    "login_that_was_given_up_is_not_carried_out_later",
    "password_is_not_shown",
    "stopped_server_has_no_size",
    "stopped_server_is_unavailable",
    "store_can_be_opened_before_its_server",
    "store_heals",
)
class RaisesWhatTheDriverRaises(ReferenceStore):
    def perform(self, call):
        if not self.closed:
            self.reach()
        return super().perform(call)


@breaks("frozen_server_is_unavailable_in_time", "stopped_server_is_unavailable")
class HidesTheCause(ReferenceStore):
    def perform(self, call):
        try:
            return super().perform(call)
        except StoreUnavailable as error:
            raise StoreUnavailable(error.store, "something went wrong") from None


@breaks("stopped_server_is_unavailable")
class SaysNotWhichStore(ReferenceStore):
    def perform(self, call):
        try:
            return super().perform(call)
        except StoreUnavailable as error:
            raise StoreUnavailable("a store", "gone") from error


@breaks("store_can_be_opened_before_its_server", "store_heals")
class NeverHeals(ReferenceStore):
    broken = False

    def reach(self):
        self.broken = self.broken or self.server.stopped
        if self.broken:
            raise ConnectionResetError("this connection broke")
        super().reach()


@breaks("store_can_be_opened_before_its_server")
class ConnectsWhenOpened(ReferenceStore):
    def __init__(self, *where, **more):
        super().__init__(*where, **more)
        if not self.password:
            self.reach()


@breaks(
    "frozen_server_is_unavailable_in_time",
    "late_answer_goes_to_nobody",
    "login_that_was_given_up_is_not_carried_out_later",
)
class AcceptsWhatNobodyAnswered(ReferenceStore):
    def reach(self):
        if not self.server.frozen:
            super().reach()


@breaks("frozen_server_is_unavailable_in_time")
class WaitsTooLong(ReferenceStore):
    def reach(self):
        if self.server.frozen:
            WATCH.advance(60.0)
        super().reach()


@breaks("login_that_was_given_up_is_not_carried_out_later")
class CarriesOutWhatWasGivenUp(ReferenceStore):
    late: Any = None

    def ask(self, what, call):
        if self.server.frozen and what in ("replace", "delete_owned"):
            self.late = call
        return super().ask(what, call)

    def perform(self, call):
        if self.late and not self.server.frozen:
            act, self.late = self.late, None
            act()
        return super().perform(call)


@breaks(
    "act_cancelled_while_it_waits_leaves_the_store_sound",
    "late_answer_goes_to_nobody",
    "login_that_was_given_up_is_not_carried_out_later",
)
class TakesALateAnswer(ReferenceStore):
    late: Any = ()

    def perform(self, call):
        if self.server.frozen:
            self.late = (call,)
        elif self.late:
            (call,), self.late = self.late, ()
        return super().perform(call)


@breaks("act_cancelled_anywhere_leaves_the_store_sound")
class TakesTheAnswerOfTheCancelled(ReferenceStore):
    late: Any = ()

    def ask(self, what, call):
        ask = super().ask(what, call)

        async def wait():
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self.late = (ask,)
                raise
            turn, self.late = (self.late or (ask,))[0], ()
            return await turn.wait()

        return Ask(what, ask.block, wait)
