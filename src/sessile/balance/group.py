"""The servers as the balancer knows them now: health, draining, counts. ``health`` judges them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from sessile.balance.health import Health, HealthCheck, Observation, State
from sessile.balance.server import BackendServer
from sessile.errors import ConfigError

log = logging.getLogger("sessile.balance")


@dataclass(frozen=True, slots=True)
class Report:
    """One server at one moment.

    Attributes:
        server: which.
        state: what it may be given.
        requests: how many it has been given since the balancer was made.
        active: how many of them it has not yet finished, open WebSockets included.
    """

    server: BackendServer
    state: State
    requests: int
    active: int


class ServerGroup:
    """All servers behind one balancer."""

    def __init__(self, servers: Sequence[BackendServer], check: HealthCheck) -> None:
        if not servers:
            raise ConfigError(
                "a balancer needs servers, such as [BackendServer('a', '127.0.0.1', 8001)]"
            )
        self.servers = {server.name: server for server in servers}
        if len(self.servers) < len(servers):
            raise ConfigError("two servers have the same name; give each its own")
        self.check = check
        self._health = dict.fromkeys(self.servers, Health())
        self._requests = dict.fromkeys(self.servers, 0)
        self._active = dict.fromkeys(self.servers, 0)

    @property
    def states(self) -> Mapping[str, State]:
        """Return the state of every server, by name."""
        return {name: health.state for name, health in self._health.items()}

    @property
    def active(self) -> Mapping[str, int]:
        """Return how many requests each server has now, by name."""
        return self._active

    def report(self) -> tuple[Report, ...]:
        """Return a report on every server, in the order they were given."""
        return tuple(
            Report(server, self._health[name].state, self._requests[name], self._active[name])
            for name, server in self.servers.items()
        )

    def observe(self, name: str, observation: Observation) -> None:
        """Take an observation into account."""
        self._set_health(name, self._health[name].after(observation, self.check))

    def drain(self, name: str, *, draining: bool) -> None:
        """Begin or end the draining of a server.

        Raises:
            ConfigError: there is no such server.
        """
        if name not in self.servers:
            raise ConfigError(f"no server is called {name!r}; there are {', '.join(self.servers)}")
        self._set_health(name, replace(self._health[name], draining=draining))

    @contextmanager
    def count_request(self, name: str) -> Iterator[None]:
        """Count a request as given, and as active until the block ends."""
        self._requests[name] += 1
        self._active[name] += 1
        try:
            yield
        finally:
            self._active[name] -= 1

    def uncount_request(self, name: str) -> None:
        """Take back the count of a request that never arrived."""
        self._requests[name] -= 1

    def _set_health(self, name: str, health: Health) -> None:
        before, self._health[name] = self._health[name].state, health
        if health.state is not before:
            log.info("server %s is %s (was %s)", name, health.state.value, before.value)
