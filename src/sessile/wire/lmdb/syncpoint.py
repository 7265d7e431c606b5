"""What of an LMDB file is on the disk for sure, and the way back to it. For ``wire.lmdb.holder``.

LMDB's commits are not synced here, so the kernel writes their pages when and in which order it
likes. A process that dies takes nothing with it. When the machine dies, a page of a commit may be
missing to which others refer already, and LMDB, which has no checksums, would not notice. So:

- A *sync point* is a transaction whose pages were all synced. Its meta page, the root of all that
  it refers to, is kept in a file beside, in two slots in turn.
- Whoever writes holds a read transaction of a sync point, or of an older one: LMDB then reuses no
  page that it refers to. So it stays whole on the disk, whatever is written after it.
- The first process that opens the file after the machine was started anew puts that meta page back.

What a power cut takes is what was written since the sync point: see ``wire.lmdb.syncer``.
"""

import os
import struct
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

META_BYTES: Final = 152
"""A meta page's header and content; the rest of the page is nothing."""

_NUMBER: Final = struct.Struct("=Q")
_END_AT: Final = 136
_TXNID_AT: Final = 144
_MAGIC_AT: Final = 16
_LMDB: Final = struct.pack("=II", 0xBEEFC0DE, 1)  # the data version of LMDB 0.9
_HEAD: Final = struct.Struct(
    "=4sII36sQQQ"
)  # magic, format, checksum, boot, inode, page size, serial
_MAGIC: Final = b"ssyn"
_SLOT: Final = 512
_LONGEST: Final = 1 << 44  # bytes; whoever says more is damaged
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_TIME_NAMESPACE: Final = Path("/proc/self/ns/time")


def boot_id() -> str:
    """Return the kernel's name of the time since the machine was started; "" where it has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def clock_id() -> str:
    """Return a name of the timer, which begins with the machine's start.

    A time namespace, as a container may have, begins it elsewhere (``time_namespaces(7)``).
    """
    try:
        return f"{boot_id()} {_TIME_NAMESPACE.readlink()}"
    except OSError:
        return boot_id()


def is_lmdb(path: Path) -> bool:
    """Tell whether a file begins as LMDB's do, and has the layout that is read here."""
    with path.open("rb") as file:
        return file.read(META_BYTES)[_MAGIC_AT : _MAGIC_AT + len(_LMDB)] == _LMDB


def txnid_of(meta: bytes) -> int:
    """Return the number of the transaction that wrote a meta page."""
    number: int = _NUMBER.unpack_from(meta, _TXNID_AT)[0]
    return number


@dataclass(frozen=True, slots=True)
class SyncPoint:
    """A transaction that is on the disk.

    Attributes:
        file_format: the number of our layout of the file.
        boot: since which start of the machine.
        inode: the file's number.
        page_size: the file's, in bytes.
        meta: the beginning of its meta page.
        serial: which of the points that were stored is the newer.
    """

    file_format: int
    boot: str
    inode: int
    page_size: int
    meta: bytes
    serial: int = 0

    @property
    def txnid(self) -> int:
        """The transaction's number."""
        return txnid_of(self.meta)

    def pack(self) -> bytes:
        """Return the bytes of a slot."""
        boot = self.boot.encode("ascii").ljust(36)
        rest = (self.file_format, 0, boot, self.inode, self.page_size, self.serial)
        slot = _HEAD.pack(_MAGIC, *rest) + self.meta
        checksum = zlib.crc32(slot)
        return (slot[:8] + checksum.to_bytes(4, "little") + slot[12:]).ljust(_SLOT, b"\0")


def _unpack(slot: bytes) -> SyncPoint | None:
    """Return the sync point in a slot; None where it is empty or half written."""
    slot = slot[: _HEAD.size + META_BYTES]
    if len(slot) < _HEAD.size + META_BYTES:
        return None
    magic, file_format, _, boot, inode, page_size, serial = _HEAD.unpack_from(slot)
    checksum = int.from_bytes(slot[8:12], "little")
    if magic != _MAGIC or zlib.crc32(slot[:8] + bytes(4) + slot[12:]) != checksum:
        return None
    meta = slot[_HEAD.size :]
    return SyncPoint(file_format, boot.decode("ascii").strip(), inode, page_size, meta, serial)


def load_sync_point(path: str) -> SyncPoint | None:
    """Return the newest sync point that a file holds; None where there is none."""
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        return None
    return max(_slots(content), key=_serial, default=None)


def store_sync_point(handle: int, point: SyncPoint) -> None:
    """Write a sync point to the disk, over the older slot of a file that is open and locked.

    Raises:
        OSError: the disk did not take it; the newer slot is as it was.
    """
    content = os.pread(handle, 2 * _SLOT, 0)
    serial = max(map(_serial, _slots(content)), default=0) + 1
    slot = replace(point, serial=serial).pack()
    os.pwrite(handle, slot, _SLOT * (serial & 1))
    os.fdatasync(handle)


def _slots(content: bytes) -> list[SyncPoint]:
    found = (_unpack(content[at : at + _SLOT]) for at in (0, _SLOT))
    return [one for one in found if one is not None]


def _serial(point: SyncPoint) -> int:
    return point.serial


def read_meta(handle: int, page_size: int, txnid: int) -> bytes:
    """Return the meta page of the transaction that is the newest of an open file."""
    return os.pread(handle, META_BYTES, page_size * (txnid & 1))


def restore(path: str, point: SyncPoint) -> bool:
    """Put a file back to its sync point, if it went on from there. Nobody may have it open.

    Return whether it had. A file that is older is another one, as a backup that was put in its
    place, and stays as it is.
    """
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        if _newest(handle, point.page_size) <= point.txnid:
            return False
        for number in (0, 1):
            page = bytearray(point.meta)
            _NUMBER.pack_into(page, 0, number)
            if number != point.txnid & 1:  # the older of the two, of the same tree
                _NUMBER.pack_into(page, _TXNID_AT, max(point.txnid - 1, 0))
            os.pwrite(handle, page, point.page_size * number)
        os.fdatasync(handle)
    finally:
        os.close(handle)
    return True


def lengthen(path: str, page_size: int) -> None:
    """Give a file that was cut short the length that it had, with nothing in it.

    LMDB then finds pages that are none of its own, and says so. Without them the kernel ends
    whatever process looks there (SIGBUS).
    """
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        metas = [meta for meta in _metas(handle, page_size) if len(meta) == META_BYTES]
        newest = max(metas, key=txnid_of, default=None)
        if newest is not None:
            (last_page,) = _NUMBER.unpack_from(newest, _END_AT)
            length = (last_page + 1) * page_size
            if os.fstat(handle).st_size < length < _LONGEST:
                os.ftruncate(handle, length)
    finally:
        os.close(handle)


def _newest(handle: int, page_size: int) -> int:
    """Return the number of the newest transaction of an open file."""
    metas = _metas(handle, page_size)
    return max((txnid_of(meta) for meta in metas if len(meta) == META_BYTES), default=0)


def _metas(handle: int, page_size: int) -> list[bytes]:
    return [os.pread(handle, META_BYTES, page_size * number) for number in (0, 1)]
