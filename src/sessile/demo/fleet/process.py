"""A server process, seen from its parent: start, handle commands, end. ``supervisor`` keeps it."""

import asyncio
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from sessile.demo.fleet.config import ServerConfig
from sessile.demo.fleet.message import COMMANDS, FleetCommand, FleetView, encode

Handler: TypeAlias = Callable[[str, FleetCommand], FleetView]
"""Carries out a command that the server of that name sent."""


class UnexpectedExit(Exception):  # noqa: N818  (the name says what happened)
    """A server ended though nobody wanted it to.

    Attributes:
        output: what it wrote before.
    """

    def __init__(self, name: str, code: int, output: str) -> None:
        super().__init__(f"server {name} ended with exit code {code}")
        self.output = output


class ServerProcess:
    """A server that can be started again and again, on the same port.

    Args:
        config: its name, its port and its folder.
        environ: the environment of all servers.
        log: where its output goes; nobody needs it unless the server fails.
        handle: called with its commands.

    Attributes:
        wanted: whether a process should be there.
        ready: set while the process listens.
    """

    def __init__(
        self, config: ServerConfig, environ: Mapping[str, str], log: Path, handle: Handler
    ) -> None:
        self.name = config.name
        self.wanted = False
        self.ready = asyncio.Event()
        self._environ = config.environ(environ)
        self._log = log
        self._handle = handle
        self._process: Process | None = None
        self._expected_exit: Process | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def pid(self) -> int | None:
        """The number of the process; None when there is none."""
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """Run a process from its start to its end, and handle its commands meanwhile.

        Raises:
            Failed: it ended by itself.
        """
        process, ours = await self._spawn()
        self._process = process
        reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        if not self.wanted:  # somebody hung up while it was being started
            self.request_stop()
        try:
            await self._listen(reader, self._writer)
            code = await process.wait()
        finally:
            self._writer.close()
            self._process = None
            self.ready.clear()
        if process is not self._expected_exit:
            self.wanted = False
            raise UnexpectedExit(self.name, code, self._log.read_text(errors="replace").strip())

    def expect_exit(self) -> None:
        """Expect the process to end."""
        self.wanted = False
        self._expected_exit = self._process

    def kill(self) -> None:
        """Kill the process with SIGKILL: no last word, no clean-up."""
        self.expect_exit()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def request_stop(self) -> None:
        """Ask the process to end, by closing its channel."""
        self.expect_exit()
        if self._writer is not None:
            self._writer.close()

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while text := await reader.readline():
                writer.write(encode(self._handle(self.name, COMMANDS.decode(text))))

    async def _spawn(self) -> tuple[Process, socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "sessile.demo.fleet.child"),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                env=self._environ,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends everybody
            )
        return process, ours
