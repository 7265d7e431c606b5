"""Stores that say wrongly how large they are."""

from harness.reference_store import ReferenceStore
from mutations.stores.registry import breaks
from sessile.errors import StoreClosed, StoreUnavailable
from sessile.stores.contract import StoreSize


@breaks("size_counts_what_is_there")
class SizesAPage(ReferenceStore):
    def measure(self):
        size = super().measure()
        return StoreSize(min(size.records, 20), size.bytes)


@breaks("size_counts_what_is_there")
class SizesTheDeleted(ReferenceStore):
    def remove(self, key, owner):
        self.server.notes[key] = found = super().remove(key, owner)
        return found

    def measure(self):
        size = super().measure()
        return StoreSize(size.records + len(self.server.notes), size.bytes)


@breaks("size_has_the_bytes_of_what_is_there")
class SizesTheKeysAlone(ReferenceStore):
    def measure(self):
        return StoreSize(len(self.rows), sum(map(len, self.rows)))


@breaks("closed_size_says_so")
class SizesWhatIsClosed(ReferenceStore):
    async def size(self):
        try:
            return await super().size()
        except StoreClosed:
            return StoreSize(0, 0)


@breaks("stopped_server_has_no_size")
class SizesNothingWhileStopped(ReferenceStore):
    async def size(self):
        try:
            return await super().size()
        except StoreUnavailable:
            return StoreSize(0, 0)
