"""Commands at a terminal: the same shop as end to end, and streams that say they are one."""

import io
import re

import pytest

from tests.e2e.conftest import Shop, brisk, sandbox, shop

__all__ = ["Terminal", "brisk", "sandbox", "shop", "terminal"]

ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class Terminal:
    """Makes every stream of a shop's commands a terminal."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        shop.stream = _Screen
        shop.setting("TERM", "xterm", prefix="")

    @staticmethod
    def plain(text: str) -> str:
        return ESCAPES.sub("", text)


@pytest.fixture
def terminal(shop: Shop) -> Terminal:
    return Terminal(shop)
