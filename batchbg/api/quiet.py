"""Keeping libraries from saying what must not be said; apart from the client, which takes a while to import."""

import logging


def silence_libraries() -> None:
    """Keep httpx from logging addresses: signed ones are credentials."""
    for name in ("httpx", "httpcore", "alembic", "PIL", "asyncio", "watchfiles"):
        logging.getLogger(name).setLevel(logging.WARNING)
