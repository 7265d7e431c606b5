"""Where is the test of ``service/save.py``? ``TESTS`` says so, for every module of the service.

Most of the service is tested by its promises, ``sessile.testing.promises``, which
``tests/stores/test_conformance.py`` asks over every store, and ``tests/mutations/service`` shows
that they notice a service without one of its defences. What does not depend on the store is here.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "src" / "sessile" / "service"
PROMISES = ROOT / "src" / "sessile" / "testing" / "promises"
TESTS = {
    "alive": [
        "promises/watching.py",
        "tests/web/test_passive.py",
        "tests/web/test_wsgi_alive.py",
    ],
    "bounded_load": ["tests/service/test_bounded_load.py"],
    "clients": [
        "promises/bindings.py",
        "tests/service/test_clients.py",
        "tests/service/test_client_changes.py",
    ],
    "commit": [
        "tests/service/test_acts.py",
        "promises/concurrency.py",
        "promises/locks.py",
        "tests/service/test_long_lived.py",
        "tests/service/test_deadlines.py",
    ],
    "context": ["tests/service/test_hooks.py", "tests/service/test_key_ring.py"],
    "csrf": ["tests/service/test_csrf.py", "tests/web/test_csrf_tokens.py"],
    "devices": ["promises/accounts.py", "tests/service/test_devices.py"],
    "distinct": ["tests/service/test_statistics.py"],
    "end": [
        "promises/thefts.py",
        "promises/concurrency.py",
        "promises/proofs.py",
        "tests/service/test_plain_values.py",
        "tests/service/test_interleavings.py",
        "tests/service/test_long_lived.py",
        "tests/service/test_operators.py",
    ],
    "evidence": ["promises/thefts.py", "tests/service/test_evidence.py"],
    "events": ["promises/events.py", "tests/sinks/test_every_event.py"],
    "worker": [
        "tests/service/test_worker.py",
        "tests/web/test_under_way.py",
        "tests/balancers/test_rolling.py",
    ],
    "housekeeping": ["promises/outages.py", "tests/races/test_outage.py"],
    "instrument": ["tests/service/test_instrument.py", "tests/service/test_hooks.py"],
    "lock": ["promises/replay_locks.py"],
    "manage": [
        "promises/accounts.py",
        "tests/service/test_operators.py",
        "tests/service/test_end_everybody.py",
        "tests/service/test_users.py",
    ],
    "near": [
        "tests/service/test_near.py",
        "tests/service/test_outage_reads.py",
        "tests/service/test_outage_silence.py",
    ],
    "new_record": ["promises/lifetimes.py", "tests/service/test_sessions.py"],
    "open": [
        "promises/tickets.py",
        "promises/bindings.py",
        "promises/two_addresses.py",
        "promises/locks.py",
    ],
    "operator_log": ["tests/service/test_operator_log.py"],
    "options": ["tests/service/test_sessions.py", "tests/core/test_secrets.py"],
    "owned": ["promises/accounts.py", "promises/integrity.py", "tests/stores/test_crowds.py"],
    "subject_row": ["tests/service/test_devices.py", "promises/thefts.py"],
    "principal": ["promises/principals.py", "tests/service/test_principal.py"],
    "regenerate": [
        "tests/service/test_regenerate.py",
        "tests/service/test_half_done.py",
        "tests/service/test_interleavings.py",
        "promises/accounts.py",
        "promises/proofs.py",
        "promises/locks.py",
        "tests/service/test_assurance.py",
        "tests/service/test_carry_over.py",
    ],
    "require": [
        "promises/grants.py",
        "tests/web/test_require.py",
        "tests/service/test_assurance.py",
    ],
    "routing": ["tests/service/test_routing.py"],
    "save": [
        "promises/concurrency.py",
        "promises/tickets.py",
        "promises/lifetimes.py",
        "tests/service/test_size.py",
        "tests/service/test_retry.py",
    ],
    "shadows": ["tests/service/test_shadows.py"],
    "server_row": ["tests/service/test_server_row.py"],
    "sessions": ["tests/service/test_sessions.py"],
    "size": ["tests/service/test_store_size.py", "promises/sizes.py"],
    "stale": ["promises/stale.py", "promises/unrotated.py", "tests/service/test_stale.py"],
    "statistics": ["tests/service/test_statistics.py", "tests/cli/test_stat.py"],
    "tombstones": [
        "promises/retries.py",
        "tests/service/test_long_lived.py",
        "tests/service/test_interleavings.py",
    ],
    "watch": [
        "tests/service/test_watch.py",
        "promises/watching.py",
        "promises/watching_feeds.py",
    ],
    "watchers": ["tests/service/test_watchers.py"],
    "visitor": [
        "promises/tickets.py",
        "promises/concurrency.py",
        "tests/service/test_plain_values.py",
    ],
    "traffic": ["tests/service/test_worker.py"],
    "transaction": [
        "tests/service/test_transaction.py",
        "promises/locks.py",
        "tests/service/test_long_lived.py",
    ],
}
"""The tests of each module, the first place to look first."""


def find(name):
    """The file of a test, or of a group of promises."""
    folder, _, file = name.partition("/")
    return PROMISES / file if folder == "promises" else ROOT / name


def test_every_module_says_where_its_tests_are():
    """No module of the service is forgotten here, and none is named that is not there."""
    assert set(TESTS) == {path.stem for path in SERVICE.glob("*.py") if path.stem != "__init__"}


@pytest.mark.parametrize("module", TESTS)
def test_tests_of_a_module_are_there(module):
    """Each answer leads to a file that holds tests."""
    assert TESTS[module]
    for name in TESTS[module]:
        assert "def test_" in find(name).read_text(), name


def test_every_test_of_this_folder_belongs_to_a_module():
    """Whoever finds a test here can tell which module it is of."""
    named = {find(name) for names in TESTS.values() for name in names}
    here = {path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)}

    assert here <= named
