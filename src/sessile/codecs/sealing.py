"""Proofs, and sealing at rest, under the key ring. ``service`` proves, seals and unseals here.

Every record has a **proof**: a keyed BLAKE2b (RFC 7693) over all of it, its values as they are
stored included. So whoever can write the store, but has no secret, can make no record and change
none: he can delete one, or put a whole older one back. ``PlainSealer`` does no more than that.

``AesGcmSealer`` encrypts the values as well, with AES-256-GCM. Each record has a key of its own,
derived from the ring's secret and the record's selector, so that a nonce drawn at random is never
at risk of repeating under one key. A sealed value is bound to its record, its field and its
purpose. A whole record that was proved under a secret of the ring before values were sealed is read
as it is, and sealed with its next change; there is no other fallback: what does not open is a
forgery.
"""

import hmac
import struct
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sessile.core.record import Record, evolve
from sessile.core.secrets import KeyRing
from sessile.core.value import Encoded

_VERSION: Final = b"\x01"
_ID: Final = 4
_NONCE: Final = 12
_ID_END: Final = 1 + _ID
_HEAD: Final = _ID_END + _NONCE
_CIPHERS: Final = 1024  # records whose derived keys are remembered, 200 bytes each
_PROOF: Final = 16
_EMPTY: Final = 2  # bytes of MessagePack for a text of no bytes, and before one of 20
_VALUE_PURPOSE: Final = b"sessile sealed value 1"
_SEALED_PURPOSE: Final = b"sessile record proof 2"
_PLAIN_PURPOSE: Final = b"sessile plain record proof 2"  # a sealed value is never taken for plain

# In an order that does not rest on the store's: one may keep values apart from each other.
_encode: Final = msgspec.msgpack.Encoder(order="deterministic").encode


class Forged(ValueError):  # noqa: N818  (it says what was found)
    """A record or a value that was not put there under this ring, or not in this place."""


class Sealer(Protocol):
    """Proves records, and turns them into plain values and back. Nothing unproved is stored."""

    def holds(self, record: Record) -> bool:
        """Tell whether the record is, to the last bit, as somebody with a secret left it."""
        ...

    def prove(self, record: Record) -> Record:
        """Return the record with its proof: for one without values of an application."""
        ...

    def unseal(self, record: Record) -> Encoded:
        """Return the record's values in plain, once its proof has held.

        Raises:
            Forged: they were not put there under this ring.
        """
        ...

    def seal(
        self,
        record: Record,
        written: Mapping[str, bytes],
        removed: frozenset[str],
        **changes: Any,
    ) -> tuple[Record, dict[str, bytes]]:
        """Return the record with those values written and removed, and the written ones as stored.

        Args:
            record: as it is stored.
            written: plain values by key.
            removed: keys that go.
            changes: other fields of the record that change with it.
        """
        ...

    def forget(self, keys: Collection[str] | None) -> None:
        """Remember no more what those records held; of all of them where it is not known which."""
        ...


MOST_KNOWN: Final = 2048
"""Records of which a process remembers that their proof held, and their values in plain."""

LARGEST_KNOWN: Final = 4096
"""Bytes of the values of the largest of them."""


class _Prover:
    """What every sealer has: the newest secret proves, all verify."""

    __slots__ = ("_keys", "_largest", "_most", "_newest", "_proved", "memos")

    def __init__(self, ring: KeyRing, purpose: bytes, most: int, largest: int) -> None:
        self._most, self._largest = most, largest
        self._proved: dict[str, Record] = {}  # what held lately, by the session's key
        self.memos: tuple[dict[str, Any], ...] = (self._proved,)  # all that is remembered, by key
        derived = [_Keys(secret, purpose) for secret in ring]
        self._newest = derived[0]
        self._keys = {keys.id: keys for keys in derived}

    def holds(self, record: Record) -> bool:
        """Tell whether the record is as somebody with a secret of the ring left it."""
        known = self._proved.get(record.key)
        if known is record or known == record:
            return True  # a browser asks for a page and then for all that is on it
        proof = record.proof
        keys = self._keys.get(proof[:_ID])
        if keys is None:
            return self._holds_plain(record)
        if not hmac.compare_digest(keys.proof_of(record), proof):
            return False
        if sum(map(len, record.data.values())) <= self._largest:
            if len(self._proved) >= self._most:
                self.forget(None)
            self._proved[record.key] = record
        return True

    def forget(self, keys: Collection[str] | None) -> None:
        """Remember no more what those records held; of all of them where it is not known which."""
        for memo in self.memos:
            if keys is None:
                memo.clear()
                continue
            for key in keys:
                memo.pop(key, None)

    def _holds_plain(self, _: Record) -> bool:
        """Tell whether the record was proved by another sealer, whose word is taken."""
        return False

    def prove(self, record: Record) -> Record:
        """Return the record with its proof: for one without values of an application."""
        return evolve(record, proof=self._newest.proof_of(record))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self._keys)} keys>"


class PlainSealer(_Prover):
    """Records are proved; what is stored is the values' own encoding.

    Args:
        ring: the secrets.
        most: how many records are remembered.
        largest: bytes of the values of the largest of them.
    """

    __slots__ = ()

    def __init__(
        self, ring: KeyRing, *, most: int = MOST_KNOWN, largest: int = LARGEST_KNOWN
    ) -> None:
        super().__init__(ring, _PLAIN_PURPOSE, most, largest)

    def unseal(self, record: Record) -> Encoded:
        """Return the values as they are, once the record's proof has held."""
        if not self.holds(record):
            raise _forgery(record)
        return record.data

    def seal(
        self,
        record: Record,
        written: Mapping[str, bytes],
        removed: frozenset[str],
        **changes: Any,
    ) -> tuple[Record, dict[str, bytes]]:
        """Return the record with those values."""
        data = _update(record.data, written, removed)
        return self.prove(evolve(record, data=data, **changes)), dict(written)


class AesGcmSealer(_Prover):
    """Records are proved and their values encrypted: the newest secret seals, all unseal.

    Args:
        ring: the secrets.
        entropy: ``n`` random bytes from a cryptographic source.
        most: how many records, and their values in plain, are remembered.
        largest: bytes of the values of the largest of them.
    """

    __slots__ = ("_entropy", "_opened", "_plain")

    def __init__(
        self,
        ring: KeyRing,
        entropy: Callable[[int], bytes],
        *,
        most: int = MOST_KNOWN,
        largest: int = LARGEST_KNOWN,
    ) -> None:
        super().__init__(ring, _SEALED_PURPOSE, most, largest)
        self._entropy = entropy
        self._opened: dict[str, tuple[Record, Encoded]] = {}  # by key, of those that were proved
        self._plain = PlainSealer(ring)
        self.memos = (self._proved, self._opened, *self._plain.memos)

    def _holds_plain(self, record: Record) -> bool:
        """Tell whether it was proved before values were sealed."""
        return self._plain.holds(record)

    def unseal(self, record: Record) -> Encoded:
        """Return the values in plain, once the record's proof has held."""
        opened = self._opened.get(record.key)
        if opened is not None and (opened[0] is record or opened[0] == record):
            return opened[1]
        if not self.holds(record):
            raise _forgery(record)
        key, plain, head = record.key, {}, self._newest.head
        prefix, newest = _aad_prefix(key), self._newest.cipher(key)
        try:  # one loop without a call of ours for each value: every request comes here
            for field, sealed in record.data.items():
                is_newest = sealed.startswith(head)
                cipher = newest if is_newest else self._keys_of(key, sealed).cipher(key)
                aad = prefix + field.encode()
                plain[field] = cipher.decrypt(sealed[_ID_END:_HEAD], sealed[_HEAD:], aad)
        except (InvalidTag, ValueError) as error:
            if record.proof[:_ID] not in self._keys:  # proved, and not sealed yet
                return record.data
            if isinstance(error, Forged):
                raise
            raise Forged(f"record {key}: a value was changed or moved") from None
        known = self._proved.get(key)  # by somebody who did not open it, maybe
        if known is record or known == record:
            self._opened[key] = record, plain
        return plain

    def seal(
        self,
        record: Record,
        written: Mapping[str, bytes],
        removed: frozenset[str],
        **changes: Any,
    ) -> tuple[Record, dict[str, bytes]]:
        """Return the record with those values sealed; all of them anew when the secret is newer."""
        if record.data and record.proof[:_ID] != self._newest.id:
            written = {k: v for k, v in self.unseal(record).items() if k not in removed} | dict(
                written
            )
        prefix = _aad_prefix(record.key)
        sealed = {
            field: self._encrypt(record.key, plain, prefix + field.encode())
            for field, plain in written.items()
        }
        data = _update(record.data, sealed, removed)
        return self.prove(evolve(record, data=data, **changes)), sealed

    def _encrypt(self, key: str, plain: bytes, aad: bytes) -> bytes:
        nonce = self._entropy(_NONCE)
        return self._newest.head + nonce + self._newest.cipher(key).encrypt(nonce, plain, aad)

    def _keys_of(self, key: str, sealed: bytes) -> "_Keys":
        keys = self._keys.get(sealed[1:_ID_END])
        if keys is None or sealed[:1] != _VERSION:
            raise Forged(f"record {key}: a value is not sealed under these secrets")
        return keys


class _Keys:
    """The keys derived from one secret."""

    __slots__ = ("_begin_proof", "_value_key", "cipher", "head", "id")

    def __init__(self, secret: bytes, purpose: bytes) -> None:
        self._value_key = _derive(secret, _VALUE_PURPOSE)
        proof_key = _derive(secret, purpose)
        self._begin_proof = blake2b(key=proof_key, digest_size=_PROOF).copy  # has taken its key in
        self.id = hmac.digest(proof_key, b"key id", "sha256")[:_ID]
        self.head = _VERSION + self.id
        self.cipher = lru_cache(_CIPHERS)(self._cipher)

    def _cipher(self, key: str) -> AESGCM:
        return AESGCM(hmac.digest(self._value_key, key.encode(), "sha256"))

    def proof_of(self, record: Record) -> bytes:
        # It is the last field: whatever stands before it is proved.
        proof = self._begin_proof()
        proof.update(_encode(record)[: -_EMPTY - len(record.proof)])
        return self.id + proof.digest()


def _forgery(record: Record) -> Forged:
    return Forged(f"record {record.key}: its proof does not hold under these secrets")


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret)


def _aad_prefix(key: str) -> bytes:
    """Return the associated data of a record's values; the field is to follow.

    It binds a value to its place. The length keeps the key and the field from running together.
    """
    return _VALUE_PURPOSE + struct.pack(">H", len(key)) + key.encode()


def _update(
    data: Mapping[str, bytes], written: Mapping[str, bytes], removed: frozenset[str]
) -> dict[str, bytes]:
    if not removed:
        return {**data, **written}
    return {key: blob for key, blob in data.items() if key not in removed} | dict(written)
