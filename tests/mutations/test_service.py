"""The promises of sessions bite: each weakened service breaks the promise it is listed by."""

import pytest

from mutations.service import (
    accounts,
    bindings,
    integrity,
    interruptions,
    outages,
    principals,
    replay_locks,
    retries,
    saving,
    stale,
    two_addresses,
    watching,
)

MUTATIONS = [
    *saving.MUTATIONS,
    *stale.MUTATIONS,
    *replay_locks.MUTATIONS,
    *bindings.MUTATIONS,
    *accounts.MUTATIONS,
    *integrity.MUTATIONS,
    *outages.MUTATIONS,
    *interruptions.MUTATIONS,
    *principals.MUTATIONS,
    *retries.MUTATIONS,
    *two_addresses.MUTATIONS,
    *watching.MUTATIONS,
    *watching.ON_A_LOOP,
]


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_weakened_service_breaks_its_promise(monkeypatch, mutation):
    """The promise holds for the service as it is, and fails for the one without that defence."""
    mutation.ask()
    mutation.weaken(monkeypatch)

    with pytest.raises(mutation.failures):
        mutation.ask()
