"""The process of one peer: it calls its client as standard input says, a line of JSON each way."""

import inspect
import json
import sys

from benchmarks.clients import AsgiClient, WsgiClient
from benchmarks.peers import Peer


def main(framework, option, redis, folder):
    app = Peer(option, framework, option).make(redis, folder)
    client = (AsgiClient if is_asgi(app) else WsgiClient)(app)
    for line in sys.stdin:
        method, *args = json.loads(line)
        print(json.dumps(getattr(client, method)(*args)), flush=True)


def is_asgi(app):
    """Tell an ASGI application, whose call is a coroutine, from a WSGI one."""
    return inspect.iscoroutinefunction(type(app).__call__)


if __name__ == "__main__":
    main(*sys.argv[1:])
