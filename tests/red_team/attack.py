"""Attacks and the weakened builds that they catch. ``conftest`` gives each attack its site.

An attack is a test named after its row, ``test_a1_…``, that takes a ``site`` and asserts what is
safe. ``weakened_by`` names the builds without that defence; ``mutations.test_defences`` runs the
very same attack against each of them and expects its assertion to fail.
"""

import inspect
import os
import re
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path

import pytest

from harness.sites import INTERFACES
from harness.sites import serve as serve_site
from sessile.service.sessions import context_of

WEAKENED = "SESSILE_WEAKENED"
"""Names the weakened build to the processes that an attack starts: ``module:function``."""

ATTACK = re.compile(r"test_a\d+_")
_FOLDER = Path(__file__).parent
_STORE = (
    "read", "create", "commit", "replace", "delete", "end_everybody", "owned_by", "delete_owned",
    "scan", "count", "sweep", "ping",
)  # fmt: skip


def weakened_by(*weak, serve=serve_site, interfaces=INTERFACES, **options):
    """List the builds that an attack catches, and say what it is played on.

    Args:
        weak: functions that take a ``MonkeyPatch`` and remove one defence with it.
        serve: gives what the attack takes, from an interface, a URL and the options.
        interfaces: the interfaces of servers that can be attacked so.
        options: those of the site: ``policy=Policy(limit=1)``, ``middleware={"exclude": ...}``.
    """

    def listed(attack):
        attack.weak = weak
        attack.interfaces = interfaces
        attack.serve = lambda interface, url: serve(interface, url, **options)
        return pytest.mark.parametrize("interface", interfaces, indirect=True)(attack)

    return listed


def families():
    """Return the modules that hold attacks."""
    names = sorted(path.stem for path in _FOLDER.glob("test_*.py"))
    return [import_module(f"red_team.{name}") for name in names]


def attacks():
    """Return every attack there is."""
    return [
        test for family in families() for name, test in vars(family).items() if ATTACK.match(name)
    ]


@contextmanager
def caught(attack, site):
    """Pass if the attack's own assertion fails. A build that crashes is no weakened one."""
    with pytest.raises(AssertionError) as failure:
        yield
    assert failure.traceback[-1].path == Path(inspect.getfile(attack)), failure.getrepr()
    assert 500 not in site.statuses, failure.getrepr()


def apply_weakening(patch):
    """Apply, in a process that an attack started, the weakening that its tests have applied."""
    module, _, name = os.environ.get(WEAKENED, "").partition(":")
    if name:
        getattr(import_module(module), name)(patch)


@contextmanager
def commands(site):
    """Give the list of the store's commands from here on."""
    store, asked = context_of(site.sessions).store, []
    with pytest.MonkeyPatch.context() as patch:
        for name in _STORE:
            patch.setattr(store, name, _noted(name, getattr(store, name), asked))
        yield asked


def _noted(name, method, asked):
    @wraps(method)
    async def noted(*args, **more):
        asked.append(name)
        return await method(*args, **more)

    return noted


def events_of(site, kind):
    """Return the events of one kind."""
    return [event for event in site.events if isinstance(event, kind)]
