"""Mutations of what is proved: records that are stored without a proof, or believed without one."""

from mutations.service.registry import Table
from sessile.codecs import sealing
from sessile.core.record import RecordKind, evolve, tombstone
from sessile.service import end, regenerate, subject_row
from sessile.service import open as opening
from sessile.service.context import Context
from sessile.service.sessions import Sealing
from sessile.stores.contract import Change, Corrupt, OnLimit

MUTATIONS = Table()
breaks = MUTATIONS.breaks
SEALED, PLAIN = Sealing


def unprove(record):
    return evolve(record, proof=b"")


@breaks("every_stored_row_is_proved", sealing=SEALED)
@breaks("every_stored_row_is_proved", sealing=PLAIN)
def confirmations_keep_the_old_proof(patch):
    def confirm(transaction, record):
        version, now = record.version + 1, transaction.now
        return Change(evolve(record, version=version, confirmed=now), record.version)

    patch.setattr(opening, "_confirm", confirm)


@breaks("every_stored_row_is_proved", sealing=SEALED)
def tombstones_are_not_proved(patch):
    def grave(transaction, base, ticket, now, **more):
        return base.record and tombstone(base.record.key, now, ticket.key)

    patch.setattr(regenerate, "_tombstone", grave)


@breaks("every_stored_row_is_proved", sealing=SEALED)
def ends_are_not_proved(patch):
    prove = sealing._Prover.prove

    def prove_others(sealer, record):
        return record if record.version == end._LEFT else prove(sealer, record)

    patch.setattr(sealing._Prover, "prove", prove_others)


@breaks("every_stored_row_is_proved", sealing=PLAIN)
def rows_of_owners_are_not_proved(patch):
    whole = subject_row._draft

    def draft(*args):
        row, written = whole(*args)
        return unprove(row), written

    patch.setattr(subject_row, "_draft", draft)


def forget(*fields):
    """Return a weakening that proves all fields but these."""

    def weaken(patch):
        proof_of = sealing._Keys.proof_of
        blank = {"data": {}, "confirmed": None, "version": 0, "kind": RecordKind.SESSION}

        def forgetful(keys, record):
            return proof_of(keys, evolve(record, **{name: blank[name] for name in fields}))

        patch.setattr(sealing._Keys, "proof_of", forgetful)

    weaken.__name__ = f"{'_and_'.join(fields)}_not_proved"
    return weaken


for field in ("data", "confirmed", "version", "kind"):
    breaks("changed_record_is_absent", field=field, sealing=PLAIN)(forget(field))
breaks("changed_record_is_absent", field="data", sealing=SEALED)(forget("data"))


@breaks("changed_record_is_absent", field="owner", sealing=PLAIN)
@breaks("planted_rows_lock_nobody_out", on_limit=OnLimit.REFUSE)
@breaks("planted_tombstones_lead_nowhere")
def what_is_read_is_believed(patch):
    def intact(context, found):
        return None if isinstance(found, Corrupt) else found

    patch.setattr(Context, "intact", intact)


@breaks("planted_rows_lock_nobody_out", on_limit=OnLimit.REFUSE)
def full_is_full(patch):
    async def stays(context, owner, now):
        return False

    patch.setattr(regenerate, "remove_planted", stays)
