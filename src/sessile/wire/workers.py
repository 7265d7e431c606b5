"""The number of the server's worker processes. ``stores.memory`` refuses more than one.

It stands on the command line, in the environment, in a configuration file or in a program's code.
A server that has read them all is found on the stack: it is what imports the application.
"""

import inspect
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Final


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """Where a server's number of workers is written; the earlier counts.

    Attributes:
        flags: on its command line; of several the last counts.
        arguments: the variable that holds more of a command line.
        variables: the variables that hold the number.
    """

    flags: tuple[str, ...]
    arguments: str = ""
    variables: tuple[str, ...] = ()


SERVERS: Final[Mapping[str, ServerProgram]] = {
    "uvicorn": ServerProgram(("--workers",), variables=("UVICORN_WORKERS", "WEB_CONCURRENCY")),
    "fastapi": ServerProgram(("--workers",), variables=("WEB_CONCURRENCY",)),
    "gunicorn": ServerProgram(("--workers", "-w"), "GUNICORN_CMD_ARGS", ("WEB_CONCURRENCY",)),
    "hypercorn": ServerProgram(("--workers", "-w")),
    "granian": ServerProgram(("--workers",), variables=("GRANIAN_WORKERS",)),
}


_SETTINGS: Final = {"gunicorn": "cfg", "uvicorn": "config", "hypercorn": "config"}
"""Servers that hold their settings in such an attribute, ``workers`` among them."""


def parse(argv: Sequence[str], environ: Mapping[str, str], uwsgi: int = 1) -> int:
    """Return the number of workers asked for; 1 where nothing says otherwise.

    Args:
        argv: the command line, the program first.
        environ: the environment.
        uwsgi: what uWSGI says of itself; under it the command line is not Python's.
    """
    server = SERVERS.get(_program(argv))
    if server is None:
        return uwsgi
    found = [environ[name] for name in reversed(server.variables) if name in environ]
    found += _flag_values(shlex.split(environ.get(server.arguments, "")), server.flags)
    found += _flag_values(argv, server.flags)
    numbers = [int(text) for text in found if text.isascii() and text.isdigit()]
    return max(numbers[-1], 1) if numbers else 1


def count() -> int:
    """Return the number of workers that this process's server was started with."""
    told = _count_on_stack()
    if told is not None:
        return told
    uwsgi = getattr(sys.modules.get("uwsgi"), "numproc", 1)  # uWSGI itself puts the module there
    return parse(sys.argv, os.environ, uwsgi)


def _count_on_stack() -> int | None:
    """Return the number of workers by the settings of the server that called us, if one did.

    ``gunicorn.conf.py`` and ``uvicorn.run("shop:app", workers=4)`` leave no other in a worker.
    """
    frame = inspect.currentframe()
    while frame is not None:
        server = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if server in _SETTINGS:
            for holder in (frame.f_locals.get("self"), frame.f_locals.get("config")):
                for settings in (getattr(holder, _SETTINGS[server], None), holder):
                    number = getattr(settings, "workers", None)
                    if type(number) is int:
                        return max(number, 1)
        frame = frame.f_back
    return None


def _program(argv: Sequence[str]) -> str:
    path = PurePath(argv[0] if argv else "")
    return path.parent.name if path.name == "__main__.py" else path.stem


def _flag_values(words: Sequence[str], flags: tuple[str, ...]) -> list[str]:
    """Return the values of the flags, as ``--flag N``, ``--flag=N``, ``-f N`` or ``-fN``."""
    values = []
    for word, following in pairwise([*words, ""]):
        if word in flags:
            values.append(following)
            continue
        long, mark, value = word.partition("=")
        if mark and long in flags:
            values.append(value)
        elif word[:2] in flags:
            values.append(word[2:])
    return values
