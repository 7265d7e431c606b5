"""What a store promises of any sequence of acts: to equal the dict in ``testing.model``."""

from itertools import count
from pathlib import Path

from hypothesis.stateful import run_state_machine_as_test

from sessile.testing.drive import Drive
from sessile.testing.effort import effort
from sessile.testing.model import StoreModel
from sessile.testing.place import Backend


class Stateful:
    """Whatever hypothesis thinks of."""

    def test_store_equals_a_dict(self, backend: Backend, tmp_path: Path, drive: Drive) -> None:
        """After any sequence of acts the store answers as a dict with deadlines would."""
        folders = (tmp_path / f"example{n}" for n in count())

        def machine() -> StoreModel:
            fresh = next(folders)
            fresh.mkdir()
            return StoreModel(backend.place(fresh), drive)

        run_state_machine_as_test(machine, settings=effort(60, 2000, steps=30))  # type: ignore[arg-type]
