"""What the launcher says: where to look, who may log in, how to stop, and what went wrong."""

from rich.console import Console
from rich.markup import escape

from sessile.demo.fleet.port import local_address
from sessile.demo.fleet.process import UnexpectedExit
from sessile.demo.store import StoreConfig
from sessile.demo.users import ACCOUNTS


class Banner:
    """Writes to the terminal.

    Args:
        console: the terminal, or whatever output goes to.
    """

    def __init__(self, console: Console) -> None:
        self._say = console.print

    def show_start(self, servers: int, store: StoreConfig) -> None:
        """Say what is being started, and on what."""
        self._say(f"starting {servers} servers on {escape(store.redacted_url)} …")
        if store.secret is not None:
            self._say(
                "no SESSILE_SECRETS are set: the servers share a secret drawn for this run, "
                "so its sessions end with it"
            )

    def show_nodes(self) -> None:
        """Say that nodes are being started."""
        self._say("starting three nodes of a cluster, which find each other …")

    def show_port(self, wanted: int, port: int) -> None:
        """Say that the wanted port is taken."""
        self._say(f"port {wanted} is taken; using {port}")

    def show_address(self, host: str, port: int) -> None:
        """Say where the shop is."""
        here = local_address(host)
        where = f"[{here}]" if ":" in here else here
        self._say(f"\n  The shop is open: http://{where}:{port}/\n", style="bold", markup=False)
        for name, password in ACCOUNTS.items():
            self._say(f"  log in as {name} with the password {password}", highlight=False)
        self._say("\n  Ctrl-C closes it and leaves nothing behind.\n", highlight=False)

    def show_failure(self, failed: UnexpectedExit) -> None:
        """Say that a server ended unasked, and what it said last."""
        self._say(f"[bold red]{failed}[/bold red]")
        self._say(failed.output, markup=False, highlight=False)

    def show_end(self) -> None:
        """Say that all is over."""
        self._say("closed")
