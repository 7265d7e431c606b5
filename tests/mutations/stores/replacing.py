"""Stores in which a login takes the place of another session wrongly."""

import msgspec

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.core.record import RecordKind, evolve
from sessile.stores.contract import GONE, Conflict, Corrupt, Replaced


class Believing(ReferenceStore):
    """Takes some answers about the old session for none, and goes on."""

    def is_believed(self, answer):
        raise NotImplementedError

    def admit(self, replacement):
        old = replacement.old
        answer = old and self.differs(old.key, old.version)
        if answer is not None and self.is_believed(answer):
            there = isinstance(answer, Conflict)
            old = evolve(old, version=answer.current.version) if there else None
            return super().admit(msgspec.structs.replace(replacement, old=old))
        return super().admit(replacement)


@breaks(
    "ended_session_is_not_replaced",
    "nothing_is_replaced_where_nothing_was",
    "session_that_goes_on_elsewhere_is_deleted_too",
)
class ReplacesTheGone(Believing):
    def is_believed(self, answer):
        return answer == GONE


@breaks(
    "changed_record_is_not_replaced",
    "login_and_commit_lose_nothing",
    "of_rival_logins_one_replaces",
    "tombstone_is_not_replaced",
)
class ReplacesTheChanged(Believing):
    def is_believed(self, answer):
        return isinstance(answer, Conflict)


@breaks("of_rival_logins_one_replaces", "tombstone_is_not_replaced")
class ReplacesTombstones(Believing):
    def is_believed(self, answer):
        return isinstance(answer, Conflict) and answer.current.kind is RecordKind.TOMBSTONE


@breaks("corrupt_record_is_not_replaced")
class ReplacesTheMalformed(Believing):
    def is_believed(self, answer):
        return isinstance(answer, Corrupt)


@breaks("corrupt_record_is_not_replaced")
class CallsTheMalformedGoneAtALogin(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        return GONE if isinstance(answer, Corrupt) else answer


@breaks(
    "changed_record_is_not_replaced", "of_rival_logins_one_replaces", "tombstone_is_not_replaced"
)
class TellsALoginTheRecordItRead(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        return Conflict(replacement.old) if isinstance(answer, Conflict) else answer


@breaks(
    "changed_record_is_not_replaced", "of_rival_logins_one_replaces", "tombstone_is_not_replaced"
)
class TellsTheSecondLoginNothing(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        return GONE if isinstance(answer, Conflict) else answer


@breaks(
    "changed_record_is_not_replaced",
    "corrupt_record_is_not_replaced",
    "ended_session_is_not_replaced",
    "login_and_commit_lose_nothing",
    "nothing_is_replaced_where_nothing_was",
    "of_rival_logins_one_replaces",
    "refused_claim_writes_nothing",
    "session_that_goes_on_elsewhere_is_deleted_too",
    "tombstone_is_not_replaced",
)
class StoresWhatItRefuses(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if not isinstance(answer, Replaced):
            self.add(replacement.new)
        return answer


@breaks("changed_record_is_not_replaced", "login_and_commit_lose_nothing")
class EndsTheChanged(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if isinstance(answer, Conflict) and answer.current.kind is RecordKind.SESSION:
            self.step_aside(replacement)
        return answer


@breaks("nothing_is_replaced_where_nothing_was")
class BuriesTheGone(ReferenceStore):
    def admit(self, replacement):
        answer = super().admit(replacement)
        if answer == GONE and replacement.tombstone:
            self.put(replacement.tombstone)
        return answer


@breaks(
    "feed_tells_of_a_login_what_it_ends",
    "login_and_commit_lose_nothing",
    "new_record_stands_and_the_old_is_gone",
    "nobody_sees_both_or_none",
    "replaced_session_does_not_count",
    "session_of_nobody_takes_an_owned_ones_place",
)
class KeepsTheOld(ReferenceStore):
    def step_aside(self, replacement):
        if replacement.tombstone:
            super().step_aside(replacement)


@breaks(
    "index_changes_with_the_record",
    "replaced_session_does_not_count",
    "session_of_nobody_takes_an_owned_ones_place",
    "what_an_end_left_is_not_deleted",
)
class KeepsTheOldOfSomebody(ReferenceStore):
    def step_aside(self, replacement):
        if replacement.old.owner is None:
            super().step_aside(replacement)


@breaks(
    "of_rival_logins_one_replaces",
    "tombstone_is_not_replaced",
    "tombstone_stands_under_the_old_key",
    "what_an_end_left_is_not_deleted",
)
class LeavesNoTombstone(ReferenceStore):
    def step_aside(self, replacement):
        super().step_aside(msgspec.structs.replace(replacement, tombstone=None))


@breaks(
    "of_rival_logins_one_replaces",
    "tombstone_is_not_replaced",
    "tombstone_stands_under_the_old_key",
    "what_an_end_left_is_not_deleted",
)
class LeavesATombstoneThatTakesCommits(ReferenceStore):
    def step_aside(self, replacement):
        grave = replacement.tombstone
        grave = grave and evolve(grave, version=replacement.old.version)
        super().step_aside(msgspec.structs.replace(replacement, tombstone=grave))


@breaks(
    "index_changes_with_the_record",
    "what_an_end_left_is_not_deleted",
)
class LeavesTheOldInItsIndex(ReferenceStore):
    def step_aside(self, replacement):
        old = replacement.old
        number = self.owners.get(old.owner, {}).get(old.key)
        super().step_aside(replacement)
        if number:
            self.owners[old.owner][old.key] = number


@breaks(
    "index_changes_with_the_record",
    "session_of_nobody_takes_an_owned_ones_place",
    "what_an_end_left_is_not_deleted",
)
class EntersTheIndexOfTheOld(ReferenceStore):
    def enter(self, replacement):
        new, old = replacement.new, replacement.old
        owner = old.owner if old and old.owner else new.owner
        super().enter(msgspec.structs.replace(replacement, new=evolve(new, owner=owner)))


@breaks("session_of_nobody_takes_an_owned_ones_place")
class InheritsTheOwner(ReferenceStore):
    def admit(self, replacement):
        new, old = replacement.new, replacement.old
        owner = new.owner or (old and old.owner)
        new = evolve(new, owner=owner)
        return super().admit(msgspec.structs.replace(replacement, new=new))


@breaks("session_of_nobody_takes_an_owned_ones_place")
class TakesOwnersAlone(ReferenceStore):
    def admit(self, replacement):
        if replacement.new.owner is None and replacement.old and replacement.old.owner:
            raise ValueError("a login has an owner")
        return super().admit(replacement)


@breaks("taken_key_replaces_nothing")
class StepsAsideForTheTaken(ReferenceStore):
    def admit(self, replacement):
        if replacement.old and replacement.new.key in self.rows:
            self.step_aside(replacement)
        return super().admit(replacement)


@breaks("login_and_commit_lose_nothing", "of_rival_logins_one_replaces")
class LooksInOneStepAndReplacesInAnother(Believing):
    async def replace(self, replacement):
        old = replacement.old
        answer = old and await self.ask("look", lambda: self.differs(old.key, old.version))
        return answer if answer is not None else await super().replace(replacement)

    def is_believed(self, answer):
        return True


@breaks("login_and_commit_lose_nothing", "nobody_sees_both_or_none", "of_rival_logins_one_replaces")
class StoresTheNewAndThenEndsTheOld(ReferenceStore):
    def step_aside(self, replacement):
        pass

    async def replace(self, replacement):
        answer = await super().replace(replacement)
        if isinstance(answer, Replaced) and replacement.old:
            await self.ask("step aside", lambda: super(type(self), self).step_aside(replacement))
        return answer


@breaks("nobody_sees_both_or_none", "refused_claim_writes_nothing", "taken_key_replaces_nothing")
class EndsTheOldAndThenStoresTheNew(ReferenceStore):
    async def replace(self, replacement):
        old = replacement.old
        if old is None:
            return await super().replace(replacement)
        answer = await self.ask("step aside", lambda: self.part(replacement))
        if answer is not None:
            return answer
        return await super().replace(msgspec.structs.replace(replacement, old=None))

    def part(self, replacement):
        old = replacement.old
        answer = self.differs(old.key, old.version)
        if answer is None:
            self.step_aside(replacement)
        return answer
