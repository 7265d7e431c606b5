"""Where the processes of a test listen: Linux says so in /proc."""

import ipaddress
import os
from contextlib import suppress
from pathlib import Path

_LISTEN = "0A"
_WORD = 8  # digits of an address that stand in the byte order of the machine


def listeners():
    """Return where this process and those that it started listen: addresses with ports."""
    mine = {inode for pid in _family(os.getpid()) for inode in _sockets(pid)}
    return {
        (_address(place), int(port, 16))
        for table in ("tcp", "tcp6")
        for place, port, state, inode in _rows(table)
        if state == _LISTEN and inode in mine
    }


def _family(root):
    """Yield a process and all that descend from it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            parents[int(folder.name)] = int(
                (folder / "stat").read_text().rpartition(")")[2].split()[1]
            )
    for pid in parents:
        at = pid
        while at and at != root:
            at = parents.get(at, 0)
        if at == root:
            yield pid


def _sockets(pid):
    """Yield the inodes of a process's sockets."""
    with suppress(OSError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                name = str(link.readlink())
                if name.startswith("socket:["):
                    yield name[len("socket:[") : -1]


def _rows(table):
    with suppress(FileNotFoundError):  # a kernel without IPv6
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            cells = line.split()
            yield (*cells[1].split(":"), cells[3], cells[9])


def _address(digits):
    words = (digits[at : at + _WORD] for at in range(0, len(digits), _WORD))
    packed = b"".join(int(word, 16).to_bytes(4, "little") for word in words)
    return ipaddress.ip_address(packed)
