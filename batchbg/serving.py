"""Serving HTTP: what the sandbox and the receiver of webhook events have in common."""

from typing import Any, Final

import uvicorn

KEEP_ALIVE_S: Final = 75
"""Longer than clients and proxies keep an idle connection, so that none is closed in the middle of a request."""


def plain(application: Any, **options: Any) -> uvicorn.Config:
    """Return how to serve an application: HTTP/1.1 without extras, no log of uvicorn's own, no header that is believed."""
    return uvicorn.Config(
        application,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        **options,
    )
