"""Count the steps of a request through the house: ``python scripts/walk.py``.

Each request goes through ``SessionMiddleware`` on ``memory://``, sealed, from one browser. Every
call of a Python function inside ``src/sessile`` is a step; a coroutine or a generator that goes on
is none. A file, or a floor, is changed where a step is taken in another than the step before it.
``--trace NAME`` prints the steps of one request.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from sessile import Cookie, Sessions
from sessile.web.asgi import SessionMiddleware

Act = Callable[[Any], object]
Step = tuple[str, str]

SECRET = "oT6_vWq9mZ2x-Lk4Rb8sYc1Nf7Hd3Jg5Pa0Ue"  # noqa: S105  (opens this script's sessions alone)
FIREFOX = b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CO_RESUMED = 0x20 | 0x80 | 0x200  # generators and coroutines: to go on is no new step


class Walk:
    """One application, one browser, and the steps of its latest request."""

    def __init__(self) -> None:
        self.sessions = Sessions("memory://", secrets=[SECRET], cookie=Cookie(secure=False))
        self.app = SessionMiddleware(self.serve, self.sessions)
        self.act: Act = dict
        self.during: Act | None = None
        self.cookie = b""

    async def serve(self, scope: Any, _receive: Any, send: Any) -> None:
        """Handle a request as ``act`` says; a rival request may come in between."""
        self.act(scope["session"])
        if self.during is not None:
            await self.rival(self.during)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def rival(self, act: Act) -> None:
        """Let another request through, uncounted."""
        counting, mine = sys.getprofile(), (self.act, self.during)
        sys.setprofile(None)
        self.act, self.during = act, None
        await self.ask(keep=False)
        self.act, self.during = mine
        sys.setprofile(counting)

    async def ask(self, *, keep: bool = True) -> None:
        """Make one request, and keep the cookie it sets."""
        headers = [(b"host", b"shop"), (b"user-agent", FIREFOX)]
        headers += [(b"cookie", self.cookie)] if self.cookie else []
        scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
        scope["client"] = ["192.0.2.7", 1]

        async def send(message: Any) -> None:
            for name, value in message.get("headers", ()):
                if keep and name == b"set-cookie":
                    self.cookie = value.partition(b";")[0]

        await self.app(scope, None, send)  # type: ignore[arg-type]

    def steps(self, act: Act, during: Act | None = None) -> list[Step]:
        """Make one request and return its steps, as (file, function)."""
        root = str(Path(sys.modules["sessile"].__file__ or "").parent) + "/"
        found: list[Step] = []
        begun: set[int] = set()

        def note(frame: Any, event: str, _arg: object) -> None:
            code = frame.f_code
            if event == "call" and code.co_filename.startswith(root):
                if code.co_flags & CO_RESUMED:
                    if id(frame) in begun:
                        return
                    begun.add(id(frame))
                    alive.append(frame)  # no second frame may come to the same place
                found.append((code.co_filename.removeprefix(root), code.co_qualname))

        alive: list[Any] = []
        self.act, self.during = act, during

        async def count() -> None:
            sys.setprofile(note)
            try:
                await self.ask()
            finally:
                sys.setprofile(None)

        asyncio.run(count())
        return found


def requests() -> dict[str, list[Step]]:
    """Return the steps of each request of the story of one browser."""
    walk, found = Walk(), {}
    visitor = walk.steps(lambda _: None)
    found["visitor without a cookie"] = visitor
    walk.steps(lambda s: s.setdefault("cart", []).append("socks"))
    found["login with a cart"] = walk.steps(lambda s: s.login("alice"))
    walk.steps(lambda s: s.get("cart"))
    found["read"] = walk.steps(lambda s: s.get("cart"))
    found["write"] = walk.steps(lambda s: s["cart"].append("hat"))
    found["write with one conflict"] = walk.steps(
        lambda s: s["cart"].append("coat"), lambda s: s["cart"].append("scarf")
    )
    found["logout"] = walk.steps(lambda s: s.logout())
    names = ["visitor without a cookie", "read", "write", "write with one conflict"]
    return {name: found[name] for name in [*names, "login with a cart", "logout"]}


def changes(places: list[str]) -> int:
    """Return how often the place is another one than before."""
    return sum(a != b for a, b in pairwise(places))


def main() -> None:
    """Print the table, or one trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", metavar="NAME", help="print the steps of this request instead")
    wanted = parser.parse_args().trace
    found = requests()
    if wanted:
        for file, function in found[wanted]:
            print(f"{file:32}{function}")
        return
    print(f"{'request':28}{'calls':>7}{'files':>7}{'changes of file':>17}{'of floor':>10}")
    for name, steps in found.items():
        files = [file for file, _ in steps]
        floors = [file.split("/")[0] for file in files]
        print(f"{name:28}{len(steps):7}{len(set(files)):7}{changes(files):17}{changes(floors):10}")


if __name__ == "__main__":
    main()
