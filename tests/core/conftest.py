"""The three kinds of class that a value can be seen as."""

import pytest

from core.carts import KINDS


@pytest.fixture(params=KINDS.values(), ids=KINDS)
def cart(request):
    """One and the same cart, as each kind of class."""
    return request.param
