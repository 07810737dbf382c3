"""A terminal: streams of a shop's commands that say they are one."""

import io
import re

from tests.support.shop import Shop

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
        shop.setting("COLUMNS", "", prefix="")  # of no size, so that lines stay whole

    @staticmethod
    def screen() -> io.StringIO:
        return _Screen()

    @staticmethod
    def plain(text: str) -> str:
        return ESCAPES.sub("", text)
