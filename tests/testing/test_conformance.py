"""Strangers test their stores: what is asked is asked, and what is not is said."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sessile.stores.memory import MemoryStore
from sessile.testing.conformance import SessionContract, StoreContract
from sessile.testing.place import Backend, Place
from sessile.testing.promises.feeds import Feeds

OURS = Path(__file__).parents[2] / "src"

THEIRS = '''
"""The whole test file of somebody's store."""

from sessile.stores.contract import Capability
from sessile.stores.memory import MemoryStore
from sessile.testing.conformance import StoreContract
from sessile.testing.place import Backend, Place


class TheirStore(MemoryStore):
    capabilities = Capability.OWNERS

    {flaw}


class Here(Place):
    def open(self):
        return TheirStore()


class TestTheirStore(StoreContract, backends=[Backend("theirs", TheirStore, Here)]):
    """All it takes."""
'''

FLAW = """async def delete(self, key, owner=None, *, leaving=None):
        return await self.read(key)"""


def run(folder, flaw, *options):
    """Run somebody's tests as they would, with pytest and hypothesis alone."""
    (folder / "test_theirs.py").write_text(THEIRS.format(flaw=flaw))
    plain = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(OURS), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *options]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | plain, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def test_strangers_store_is_tested_in_three_lines(tmp_path):
    """A sound store passes every promise it is asked, in both colours, and nothing is skipped."""
    told = run(tmp_path, "")

    assert re.search(r"\d{2,} passed in", told), told
    assert "skipped" not in told
    assert re.search(r"^Owners +14/14$", told, re.MULTILINE)
    assert re.search(r"^Scanning +0/\d+$", told, re.MULTILINE)
    assert re.search(
        r"^theirs has no SCAN, so it is not asked: [\s\w,]+scan_of_nothing", told, re.MULTILINE
    )
    assert re.search(
        r"^theirs has a place without stop\(\),[\s\w,:]+store_heals", told, re.MULTILINE
    )


def test_strangers_broken_store_fails_by_the_promise(tmp_path):
    """A broken store fails under the promise's name, and the report shows what was compared."""
    told = run(tmp_path, FLAW, "-k", "test_deletion_returns_what_was")

    assert "2 failed" in told, told
    assert "TestTheirStore::test_deletion_returns_what_was[theirs-blocking]" in told
    assert "TestTheirStore::test_deletion_returns_what_was[theirs-async]" in told
    assert re.search(r"assert <Record \S+ version 2> is None", told)


def test_promise_that_nobody_is_asked_is_not_collected(tmp_path):
    """What no store under test is capable of is no test, neither passed nor skipped."""
    told = run(tmp_path, "", "--collect-only")

    assert "test_deletion_returns_what_was" in told
    assert "::test_scan_" not in told


def test_matrix_survives_worker_processes(tmp_path):
    """Under pytest-xdist the workers' tables are printed, where the conftest asks for it."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["sessile.testing.matrix"]\n')
    told = run(tmp_path, "", "-p", "xdist", "-n", "1", "-k", "test_open_store_answers")

    assert "2 passed" in told, told
    assert told.count("theirs has no SCAN, so it is not asked") == 1


@pytest.mark.parametrize("contract", [StoreContract, SessionContract])
def test_contract_without_backends_is_an_error(contract):
    """A test class that names no stores would silently test nothing."""
    with pytest.raises(TypeError, match="backends"):
        type("TestNothing", (contract,), {})


class OneGroup(StoreContract, backends=[Backend("memory", MemoryStore, Place)], groups=[Feeds]):
    """Looked at, not collected."""


def test_one_group_can_be_asked_alone():
    """Where groups are named their promises are asked, and no others are collected."""
    assert OneGroup.promises == {n: p for n, p in vars(Feeds).items() if n.startswith("test_")}
    assert OneGroup.test_feed_tells_of_every_act is not None
    assert OneGroup.test_unknown_key_reads_as_none is None
