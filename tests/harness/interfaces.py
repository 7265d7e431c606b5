"""Which interface of servers is asked over which store, where all of them would tell the same.

An interface knows no store, and a store no interface. So both are asked on SQLite, and on each
other store it is one of them, by turns.
"""

from harness.backends import BACKENDS
from harness.sites import INTERFACES

BOTH = "sqlite"
ASKED = {
    backend.name: INTERFACES[number % len(INTERFACES)] for number, backend in enumerate(BACKENDS)
}


def leave_out_second_interfaces(items, folder):
    """Leave them out of the tests of a folder that take a URL and an interface."""
    items[:] = [item for item in items if folder not in item.path.parents or not _is_second(item)]


def _is_second(item):
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    if not {"interface", "url"} <= parameters.keys() or parameters["url"].name == BOTH:
        return False
    offered = getattr(item.function, "interfaces", INTERFACES)
    return len(offered) > 1 and parameters["interface"] != ASKED[parameters["url"].name]
