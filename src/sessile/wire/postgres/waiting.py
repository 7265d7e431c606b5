"""Wait for a socket on this thread."""

import select

from sessile.core.value import Seconds


def wait(fd: int, *, writable: bool = False, within: Seconds = 0.0) -> bool:
    """Wait until a socket can be read, or written as well; tell whether that came in time."""
    if hasattr(select, "poll"):  # looked up late: gevent puts its own there
        poll = select.poll()
        poll.register(fd, select.POLLIN | (select.POLLOUT if writable else 0))
        return bool(poll.poll(max(within, 0.0) * 1000))
    readers, writers, _ = select.select([fd], [fd] if writable else [], [], max(within, 0.0))
    return bool(readers or writers)
