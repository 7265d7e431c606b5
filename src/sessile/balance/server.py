"""A server behind the balancer: its name and where it listens. ``group`` keeps its health."""

from dataclasses import dataclass

from sessile.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BackendServer:
    """One server. The name is shown to operators and never to clients."""

    name: str
    host: str
    port: int

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError(
                "a server needs a name, such as BackendServer('a', '127.0.0.1', 8001)"
            )
        if not 0 < self.port < 1 << 16:
            raise ConfigError(f"server {self.name!r}: {self.port} is no port; write 1 to 65535")

    @property
    def authority(self) -> str:
        """Return where it listens, as a Host header writes it."""
        return authority(self.host, self.port)


def authority(host: str, port: int) -> str:
    """Return ``host:port``, with the brackets that IPv6 needs."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
