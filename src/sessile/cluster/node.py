"""The life of a node: one server, from the lock of its folder to its last line.

Asked to stop, it has the server step down first: the leaders move away, so nobody waits for an
election, and its clients go to others before it ends. Asked again, it ends at once.
"""

import datetime as dt
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import Final

from sessile.cluster.certificates import check_certificate
from sessile.cluster.configuration import NodeConfig
from sessile.cluster.leaders import NodeLeads
from sessile.cluster.program import NatsProgram
from sessile.cluster.users import keeper_of_leaders, users_of
from sessile.core.secrets import KeyRing
from sessile.core.value import Instant
from sessile.wire.private_files import lock_folder, make_private_folder, write_private
from sessile.wire.programs import ServingProgram, catch_stop_signals, environment_without

_FILE: Final = "node.conf"
_TAIL: Final = 12  # lines of the server's log
_READY: Final = b"Server is ready"
_FULL: Final = b"JetStream out of resources"
_HIDDEN: Final = ("SESSILE_SECRETS", "SESSILE_URL", "SESSILE_FORMER_URL")


@dataclass(frozen=True, slots=True)
class NodeEnd:
    """How a node has ended.

    Attributes:
        was_asked: whether somebody had asked for it.
        code: of the server.
        tail: its last lines.
    """

    was_asked: bool
    code: int
    tail: tuple[bytes, ...]


@dataclass
class NodeRun:
    """One run of a node.

    Args:
        config: how it is set.
        program: the server.
        ring: the secrets, from which passwords are derived.
        relay: takes each line of the server's log.
        ends_with_us: whether the server is killed when this process is, where the system does that.
    """

    config: NodeConfig
    program: NatsProgram
    ring: KeyRing = field(repr=False)
    relay: Callable[[bytes], object]
    ends_with_us: bool = False
    _server: ServingProgram | None = field(default=None, init=False, repr=False)
    _leads: NodeLeads | None = field(default=None, init=False, repr=False)
    _is_ready: bool = field(default=False, init=False)
    _asked: int = field(default=0, init=False)

    def run(self) -> NodeEnd:
        """Run until the server has ended. Of the main thread.

        Raises:
            ConfigError: it cannot begin.
        """
        folder = self.config.folder
        make_private_folder(folder)
        with lock_folder(folder, "a node") as lock, catch_stop_signals(self.stop):
            path, keeper = folder / _FILE, keeper_of_leaders()
            write_private(path, self.config.text(users_of(self.ring), keeper).encode())
            if self._asked:
                return NodeEnd(was_asked=True, code=0, tail=())
            if self.config.others:
                endpoint = self.config.endpoint_for(keeper)
                self._leads = NodeLeads(endpoint, self.config.name, tell=self._tell)
            return self._serve(path, lock)

    def _tell(self, text: str) -> None:
        self.relay(f"node {self.config.name} {text}\n".encode())

    def _serve(self, path: Path, lock: int) -> NodeEnd:
        command = [str(self.program.path), "-c", str(path)]
        environ = environment_without(*_HIDDEN)
        environ.setdefault("GOMEMLIMIT", str(self.config.memory))
        self._server = ServingProgram(command, environ, lock, ends_with_us=self.ends_with_us)
        if self._asked:  # before there was anybody to tell
            self._server.tell(Signals.SIGTERM)
        tail: deque[bytes] = deque(maxlen=_TAIL)
        for line in self._server.lines():
            if not self._is_ready and _READY in line:
                self._is_ready = True
                if self._leads is not None:
                    self._leads.start()
            tail.append(line)
            if _FULL in line:
                self._tell("keeps nothing any more: make room on its disk, and start it again")
            self.relay(line)
        return NodeEnd(was_asked=self._asked > 0, code=self._server.wait(), tail=tuple(tail))

    def stop(self) -> None:
        """Ask the server to end: to step down first, unless it was asked before."""
        self._asked += 1
        if self._leads is not None:
            self._leads.stop()
        if self._server is not None:
            can_step_down = self._asked == 1 and self._is_ready and self.config.others
            self._server.tell(Signals.SIGUSR2 if can_step_down else Signals.SIGTERM)

    def kill(self) -> None:
        """End the server with SIGKILL: no last word to anybody."""
        self._asked += 1
        if self._leads is not None:
            self._leads.stop()
        if self._server is not None:
            self._server.tell(Signals.SIGKILL)


def describe(
    config: NodeConfig, program: NatsProgram, ring: KeyRing, now: Instant
) -> Iterator[str]:
    """Yield what is said of a node before it starts, and no secret.

    Raises:
        ConfigError: its certificate would be refused.
    """
    yield f"nats-server {program.version} of {program.origin}: {program.path}"
    yield f"its sha256 is {program.sha256}"
    if config.own is not None and config.others:
        others = ", ".join(f"{peer.name} at {peer.place}" for peer in config.others)
        yield f"node {config.name}: takes the others at {config.own.listens_on}; {others}"
    else:
        yield f"node {config.name}, alone: what it holds is gone with its disk"
    if config.certificate is not None and config.needs_certificate:
        host = config.own.host if config.own is not None and config.others else None
        until = check_certificate(config.certificate, host, now)
        left = (until - dt.datetime.fromtimestamp(now, dt.UTC)).days
        soon = f", in {left} days: make another one" if left < _SOON else ""
        yield f"the certificate {config.certificate.cert} is good until {until:%Y-%m-%d}{soon}"
    how = "workers of this host" if config.is_local else "workers, by TLS,"
    names = " or ".join(user.name for user in users_of(ring))
    yield f"takes {how} at {config.listens_on} as {names}: SESSILE_URL=$(sessile node url)"


_SOON: Final = 30  # days
