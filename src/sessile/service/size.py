"""Ask a store how large it is, through whatever stands in front of it. For gauges and the command.

``service.statistics`` looks at the sessions themselves.
"""

from sessile.stores.contract import Extent, HasSize, Store, StoreSize
from sessile.stores.moving import MovingStore


async def measure(store: Store) -> StoreSize | None:
    """Return the size that a store says it has; None where it says nothing.

    Of one that takes over from a former one: the records of both, and the bytes of the new one.

    Raises:
        StoreUnavailable: it did not answer.
    """
    if isinstance(store, MovingStore):
        return await _measure_both(store)
    return await store.size() if isinstance(store, HasSize) else None


async def _measure_both(moving: MovingStore) -> StoreSize | None:
    here, before = await measure(moving.store), await measure(moving.former)
    if here is None or before is None:
        return None
    return StoreSize(
        here.records + before.records,
        here.bytes,
        Extent.SERVER if Extent.SERVER in {here.records_of, before.records_of} else here.records_of,
        here.bytes_of,
        is_estimate=here.is_estimate or before.is_estimate,
    )
