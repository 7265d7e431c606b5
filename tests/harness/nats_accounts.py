"""Operator, account and user of NATS, as their JWTs say: for a server that takes ``.creds``."""

import base64
import hashlib
import json
import os
import time

import nkeys

_OF_CLIENTS = ("subs", "imports", "exports", "conn", "leaf", "data", "payload")
_OF_JETSTREAM = ("mem_storage", "disk_storage", "streams", "consumer")
_UNLIMITED = dict.fromkeys((*_OF_CLIENTS, *_OF_JETSTREAM), -1)


class Identity:
    """A key pair of NATS.

    Args:
        kind: what it is of, as ``nkeys.PREFIX_BYTE_USER``.
    """

    def __init__(self, kind):
        self.seed = nkeys.encode_seed(os.urandom(32), kind)
        self._pair = nkeys.from_seed(bytearray(self.seed))
        self.name = self._pair.public_key.decode()

    def issue(self, subject, kind, **claims):
        """Return a JWT that says something of a subject."""
        body = {
            "iat": int(time.time()),
            "iss": self.name,
            "name": kind,
            "sub": subject,
            "nats": {"type": kind, "version": 2, **claims},
        }
        identity = hashlib.new("sha512_256", json.dumps(body).encode()).digest()
        body["jti"] = base64.b32encode(identity).decode().rstrip("=")
        head = _encode(b'{"typ":"JWT","alg":"ed25519-nkey"}')
        said = f"{head}.{_encode(json.dumps(body).encode())}"
        return f"{said}.{_encode(self._pair.sign(said.encode()))}"


def write_credentials(path):
    """Write the file of a user; return the lines of a server that takes that user alone."""
    operator = Identity(nkeys.PREFIX_BYTE_OPERATOR)
    system, account = (Identity(nkeys.PREFIX_BYTE_ACCOUNT) for _ in range(2))
    user = Identity(nkeys.PREFIX_BYTE_USER)
    limits = {"subs": -1, "data": -1, "payload": -1}
    token = account.issue(user.name, "user", pub={}, sub={}, **limits)
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\n{token}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    own = operator.issue(operator.name, "operator", system_account=system.name)
    known = (
        f"{each.name}: {operator.issue(each.name, 'account', limits=more)}"
        for each, more in (
            (account, {**_UNLIMITED, "wildcards": True}),
            (system, {"wildcards": True} | dict.fromkeys(("subs", "conn", "data", "payload"), -1)),
        )
    )
    return (
        f"operator: {own}\nsystem_account: {system.name}\nresolver: MEMORY\n"
        f"resolver_preload: {{ {', '.join(known)} }}"
    )


def _encode(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
