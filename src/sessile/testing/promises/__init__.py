"""The promises of ``stores.contract``, a group a file. ``testing.conformance`` joins them.

Each promise stands once, as a plain function in both colours: it asks for ``store`` and ``drive``,
and where it needs them for ``other`` (a second handle on the same data), ``neighbour`` (a store
under another prefix), ``place`` or ``backend``.
"""

from pkgutil import iter_modules

import pytest

# Before those modules are imported, so that a broken promise shows what it compared.
_GROUPS = [f"{__name__}.{module.name}" for module in iter_modules(__path__)]
pytest.register_assert_rewrite("sessile.testing.model", *_GROUPS)
