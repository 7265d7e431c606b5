"""The key ring: secrets from newest to oldest. The newest seals and derives, all open and verify.

``wire.keyfile`` keeps one for a store on this host; ``codecs.sealing`` derives its keys from it.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final

from sessile.core.value import is_text
from sessile.errors import ConfigError, WeakSecret

SHORTEST: Final = 32
MOST: Final = 4
_FEWEST_DISTINCT: Final = 12
_ADVICE: Final = "; make one with `sessile keygen`"

# Text that stands in manuals, ours and others'. Whoever reads the manual has the key.
_EXAMPLES: Final = (
    "changeme",
    "change-me",
    "change_me",
    "secret-key",
    "secretkey",
    "your-secret",
    "your_secret",
    "example",
    "insecure",
    "password",
    "0123456789abcdef",
    "abcdefghijklmnop",
    "not-a-secret",
    "supersecret",
    "super-secret",
    "dev-secret",
    "placeholder",
    "keep-this",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",  # Flask's quick start
)


class KeyRing:
    """Secrets, newest first. Checked at birth; never shown.

    Args:
        secrets: text or bytes of at least 32 characters each, newest first.

    Raises:
        ConfigError: they are no texts and no bytes.
        WeakSecret: one is short, repetitive, given twice, or an example from a manual; or there
            are more than four.
    """

    __slots__ = ("all",)

    def __init__(self, secrets: Iterable[str | bytes]) -> None:
        if isinstance(secrets, str) and "," in secrets:
            raise ConfigError('secrets is one text with commas: write secrets=text.split(",")')
        if isinstance(secrets, str | bytes):
            secrets = (secrets,)
        self.all = tuple(map(_to_bytes, _elements(secrets)))
        if not self.all:
            raise WeakSecret("secrets is empty" + _ADVICE)
        if len(self.all) > MOST:
            raise WeakSecret(f"{len(self.all)} secrets; retire the oldest, {MOST} are enough")
        for place, secret in enumerate(self.all, start=1):
            _check(secret, place)
        if len(set(self.all)) != len(self.all):
            raise WeakSecret("one secret stands twice in secrets; remove the copy")

    @property
    def newest(self) -> bytes:
        """The secret that derives and seals."""
        return self.all[0]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self.all)}: {', '.join(map(fingerprint, self.all))}>"


def fingerprint(secret: bytes) -> str:
    """Return eight hex digits that tell secrets apart and give none away."""
    return hashlib.sha256(b"sessile fingerprint" + secret).hexdigest()[:8]


def _elements(secrets: object) -> Iterable[object]:
    if not isinstance(secrets, Iterable) or isinstance(
        secrets, AbstractSet | Mapping
    ):  # in no order
        raise ConfigError(f"secrets is {type(secrets).__name__}: write secrets=[...]" + _ADVICE)
    return secrets


def _to_bytes(secret: object) -> bytes:
    if isinstance(secret, str):
        if not is_text(secret):  # as of a variable in another encoding; an error of Python's has it
            raise ConfigError("a secret holds bytes that are no UTF-8" + _ADVICE)
        return secret.encode()
    if not isinstance(secret, bytes | bytearray):  # bytes(32) of a number would be all zeros
        raise ConfigError(f"a secret is text or bytes, not {type(secret).__name__}" + _ADVICE)
    return bytes(secret)


def _check(secret: bytes, place: int) -> None:
    if len(secret) < SHORTEST:
        raise WeakSecret(
            f"secret {place} has {len(secret)} characters; it takes at least {SHORTEST}" + _ADVICE
        )
    if len(set(secret)) < _FEWEST_DISTINCT or _repeats(secret):
        raise WeakSecret(f"secret {place} repeats itself, so it is easy to guess" + _ADVICE)
    text = secret.lower().decode("latin-1")
    if any(example in text for example in _EXAMPLES):
        raise WeakSecret(f"secret {place} stands in a manual as an example" + _ADVICE)


def _repeats(secret: bytes) -> bool:
    """Tell whether the whole is a shorter piece said again and again."""
    return secret in (secret + secret)[1:-1]
