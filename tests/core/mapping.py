"""A session's mapping over values that a store holds, and what the store holds after a save."""

from sessile.codecs.msgpack import ValueCodec
from sessile.core.mapping import Values

CODEC = ValueCodec()


def stored(**values):
    """Return a mapping over values that the store holds."""
    return Values({key: CODEC.encode(value) for key, value in values.items()}, CODEC)


def saved(values, base):
    """Return what the store holds after the mapping's delta was applied to it."""
    delta = values.delta()
    after = {k: v for k, v in base.items() if k not in delta.removed} | delta.set
    plain = {key: CODEC.decode(blob) for key, blob in after.items()}
    return plain | {key: plain.get(key, 0) + amount for key, amount in delta.added.items()}
