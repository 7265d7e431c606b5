"""A pipeline for each event loop of this process. A client keeps a lane for each kind of command.

In a child of a fork no loop is running, so it begins with a new loop, and that with a new pipeline.
"""

import asyncio
import contextlib
from typing import Final

from sessile.wire.commands.connection import Waiter
from sessile.wire.commands.pipeline import Pipeline, Rescue, leave
from sessile.wire.commands.repeat import Repeat
from sessile.wire.commands.server import Language, Server
from sessile.wire.opaque import Opaque
from sessile.wire.per_loop import forget_closed
from sessile.wire.resolver import Resolver

LARGE: Final = 65_536
"""Bytes from which a command, or its answer, has a lane with others of its kind."""


class Lane:
    """What event loops ask of one server.

    Args:
        server: where it is, and its limits.
        language: how it is spoken to.
        resolver: finds its addresses.
        rescue: as of a pipeline.

    Attributes:
        pipelines: by their loops.
    """

    def __init__(
        self, server: Server, language: Language, resolver: Resolver, rescue: Rescue = leave
    ) -> None:
        self._parts, self._rescue = (server, language, resolver), rescue
        self.pipelines: dict[asyncio.AbstractEventLoop, Pipeline] = {}

    def submit(self, packed: Opaque, repeat: Repeat, route: object = None) -> Waiter:
        """Return the future of a command's reply, on the running loop."""
        return self.pipeline().submit(packed, repeat, route)

    def pipeline(self) -> Pipeline:
        """Return that of the running loop."""
        loop = asyncio.get_running_loop()
        return self.pipelines.get(loop) or self._new_pipeline(loop)

    def close(self) -> None:
        """Have every loop close its connection."""
        for loop, pipeline in list(self.pipelines.items()):
            with contextlib.suppress(RuntimeError):  # a closed loop has closed its pipeline
                loop.call_soon_threadsafe(pipeline.close)

    async def aclose(self) -> None:
        """Return when the running loop's connection is closed."""
        pipeline = self.pipelines.get(asyncio.get_running_loop())
        if pipeline is not None:
            await pipeline.aclose()

    def _new_pipeline(self, loop: asyncio.AbstractEventLoop) -> Pipeline:
        forget_closed(self.pipelines)  # here, so that no command pays for the search
        pipeline = self.pipelines[loop] = Pipeline(*self._parts, loop, self._rescue)
        return pipeline
