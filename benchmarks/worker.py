"""One contestant in a process of its own; does what it is told, a line of JSON each way."""

import json
import sys

from benchmarks.contestants import BY_NAME
from benchmarks.driving import Asgi, Wsgi


def main(name, redis, folder):
    contestant = BY_NAME[name]
    app = contestant.make(redis, folder)
    driver = (Asgi if contestant.kind == "asgi" else Wsgi)(app)
    for line in sys.stdin:
        verb, *args = json.loads(line)
        print(json.dumps(getattr(driver, verb)(*args)), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
