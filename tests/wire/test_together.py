"""Acts that are under way at once."""

import asyncio
import gc

from sessile.core.flow import Ask
from sessile.wire.together import together


async def never():
    """Wait for what does not come."""
    await Ask("test", None, asyncio.Future)


def test_cancelled_before_they_begin_leaves_nothing(recwarn):
    """Whoever asks may go away at once; then no flow is made that nobody finishes."""

    async def scenario():
        task = asyncio.create_task(together("test", [never, never]).wait())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(scenario())
    gc.collect()
    assert not recwarn.list
