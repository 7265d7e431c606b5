"""Modules that are imported anew, as where what they need is not installed."""

import sys


def forget_modules(monkeypatch, *names):
    """Have modules, and all that is below them, imported anew; after the test they are as before.

    The package that one stands in has it as an attribute as well, which an import replaces.
    """
    gone = tuple(f"{name}." for name in names)
    found = [name for name in sys.modules if name in names or name.startswith(gone)]
    for name in sorted(found, reverse=True):  # a package after what is in it
        package, _, last = name.rpartition(".")
        monkeypatch.setattr(sys.modules[package], last, sys.modules[name], raising=False)
        monkeypatch.delitem(sys.modules, name)
