"""Start the demo and keep it until somebody asks that it end. ``cli`` calls it."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from sessile.demo.alarms import Alarms
from sessile.demo.banner import Banner
from sessile.demo.fleet.port import free_port
from sessile.demo.fleet.supervisor import Supervisor
from sessile.demo.late import LateRequests
from sessile.demo.naive import NaiveFile
from sessile.demo.results import Results
from sessile.demo.store import StoreConfig
from sessile.demo.users import ACCOUNTS, UserTable
from sessile.errors import ConfigError

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def launch(
    *, host: str = "127.0.0.1", port: int = 8000, servers: int = 3, url: str | None = None
) -> int:
    """Run the demo until Ctrl-C, and return the exit code.

    Args:
        host: where the balancer listens; the servers behind it stay on this machine.
        port: where it listens, or else on the next free one; 0 takes any.
        servers: how many processes, from 1 to 16.
        url: where sessions are kept; None is a file of this run.

    Raises:
        SessileError: it cannot start; the message says what to write instead.
    """
    if os.name != "posix":
        raise ConfigError("the demo hands sockets to its servers, which needs Linux or macOS")
    banner = Banner(Console(soft_wrap=True))
    with TemporaryDirectory(prefix="sessile-demo-") as folder:
        code = asyncio.run(
            _run_until_signal(_run(banner, (host, port), servers, url, Path(folder)))
        )
    banner.show_end()
    return code


async def _run(
    banner: Banner, at: tuple[str, int], servers: int, url: str | None, folder: Path
) -> int:
    """Run the demo; return only when it has failed."""
    store = StoreConfig.choose(url, folder, banner.show_failure)
    host, wanted = at
    port = free_port(host, wanted)
    if port != wanted:
        banner.show_port(wanted, port)
    supervisor = Supervisor(
        servers,
        at=(host, port),
        folder=folder,
        environ=store.environ,
        route_key=store.route_key,
        on_failure=banner.show_failure,
        hosts=store.hosts,
    )
    try:
        if store.hosts is not None:
            banner.show_nodes()
            await store.hosts.start()
        await store.check()
        banner.show_start(servers, store)
        _create_tables(folder)
        if await supervisor.start():
            async with supervisor.balancer:
                banner.show_address(*supervisor.balancer.address)
                await supervisor.wait()
    finally:
        await supervisor.stop()
        if store.hosts is not None:
            await store.hosts.stop()
    return 1


def _create_tables(folder: Path) -> None:
    """Make what the servers share besides the sessions."""
    database = folder / "users.db"
    UserTable.create(database, ACCOUNTS)
    for table in (Alarms, LateRequests, Results):
        table.create(database)
    NaiveFile.create(folder / "naive.db")


async def _run_until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Work until it ends by itself or a signal asks. Asking twice does not cut the ending short."""
    asked, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, asked.set)
    working, waiting = asyncio.create_task(work), asyncio.create_task(asked.wait())
    await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.wait({working})
    return 0 if working.cancelled() else working.result()
