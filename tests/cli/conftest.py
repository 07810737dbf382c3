"""Commands at a terminal: the same shop as end to end, whose streams say that they are one."""

import pytest

from tests.support.shop import Shop
from tests.support.terminal import Terminal


@pytest.fixture
def terminal(shop: Shop) -> Terminal:
    return Terminal(shop)
