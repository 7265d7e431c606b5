"""Clients of a test's memcached servers, and what is asked through them, as flows."""

from sessile.wire.memcached.client import MemcachedClient
from sessile.wire.memcached.endpoint import MemcachedEndpoint

NAME = "memcached://test"
LONG = 600
"""Seconds for which an item is kept."""


def client_of(*servers, **more):
    """Return a client of what listens on the servers' ports, or on one's socket."""
    path = getattr(servers[0], "socket", None)
    places = tuple(("127.0.0.1", server.port) for server in servers)
    where = {"path": str(path)} if path else {"servers": more.pop("servers", places)}
    how = {name: more.pop(name) for name in ("clock", "lookup") if name in more}
    return MemcachedClient(MemcachedEndpoint(NAME, **where, **more), **how)


async def get(client, *names, key="key", **more):
    """Get items."""
    return await client.get(key, *names, **more)


async def value(client, name, **more):
    """Get one item's data."""
    (item,) = await client.get("key", name, **more)
    return None if item is None else item.data


async def add(client, name, data=b"data", expires_in=LONG, key="key"):
    """Add an item."""
    return await client.add(key, name, data, expires_in)


async def swap(client, name, data, unique, expires_in=LONG):
    """Put an item in the place of another one."""
    return await client.swap("key", name, data, unique, expires_in)


async def delete(client, name):
    """Remove an item."""
    return await client.delete("key", name)


async def ask_each(client, question):
    """Ask every server about itself."""
    return await client.ask_each(question)


async def close(client):
    """Close, as a flow."""
    await client.close()


async def fill(client, names):
    """Keep each name under itself; what is there already is the same."""
    for name in names:
        await add(client, name, name.encode())
