"""A node's process, seen from its parent, which starts it again and again. ``hosts`` keeps it."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from pathlib import Path

from sessile.demo.fleet.process import UnexpectedExit
from sessile.demo.nodes.config import DemoNodeConfig


class DemoNode:
    """A node that can be killed and started again; its files stay.

    Args:
        config: how it is set.
        environ: with the secrets.
        log: where its output goes; nobody needs it unless the node fails.
        on_failure: called with the error of a node that ended unasked.

    Attributes:
        wanted: whether it should be there.
    """

    def __init__(
        self,
        config: DemoNodeConfig,
        environ: Mapping[str, str],
        log: Path,
        on_failure: Callable[[UnexpectedExit], object],
    ) -> None:
        self.name, self.port = config.name, config.port
        self.wanted = False
        self._environ = config.environ(environ)
        self._log = log
        self._on_failure = on_failure
        self._process: Process | None = None
        self._expected_exit: Process | None = None
        self._run: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it, once the one before has ended."""
        self.wanted = True
        self._run = asyncio.create_task(self._live(self._run))

    def expect_exit(self) -> None:
        """Expect it to end."""
        self.wanted = False
        self._expected_exit = self._process

    def kill(self) -> None:
        """Kill its server with SIGKILL, by hanging up on the process that keeps it."""
        self.expect_exit()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def wait(self) -> None:
        """Return when it has ended."""
        if self._run is not None:
            await self._run

    async def _live(self, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await before
        if not self.wanted:  # somebody thought better of it
            return
        with self._log.open("wb") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "sessile.demo.nodes.child"),
                stdin=PIPE,
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends everybody
            )
        if not self.wanted:
            self.kill()
        code = await process.wait()
        self._process = None
        if process is not self._expected_exit:
            self.wanted = False
            output = self._log.read_text(errors="replace").strip()
            self._on_failure(UnexpectedExit(f"{self.name}, its node,", code, output))
