"""Connecting to a host by whichever of its addresses answers first, as RFC 8305 has it.

asyncio's own ``create_connection`` does so as well, but drops a socket where it is interrupted just as that is
connected.
"""

import asyncio
import collections
import socket
from collections.abc import Sequence
from typing import Any, Final

DELAY_S: Final = 0.25
"""Seconds after which the next address is tried beside those before it. Source: RFC 8305, section 8."""

_Found = Sequence[tuple[Any, ...]]
"""What ``getaddrinfo`` returns."""


async def connect(host: str, port: int) -> socket.socket:
    """Return a connected socket, which is the caller's to close.

    Raises:
        OSError: the name cannot be resolved, or none of its addresses takes the connection: why the first did not.
        UnicodeError, OverflowError: it is no name, or no port.
    """
    attempts: set[asyncio.Task[socket.socket]] = set()
    errors: list[BaseException] = []
    try:
        untried = collections.deque(_interleaved(await _resolved(host, port)))
        while untried or attempts:
            if untried:
                attempts.add(asyncio.create_task(_attempt(untried.popleft())))
            delay_s = DELAY_S if untried else None
            done, _ = await asyncio.wait(attempts, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                attempts.remove(attempt)
                if (error := attempt.exception()) is None:
                    return attempt.result()
                errors.append(error)
        raise errors[0]
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_discard)
            attempt.cancel()


async def _resolved(host: str, port: int) -> _Found:
    try:  # an address needs no other thread
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)


def _interleaved(found: _Found) -> _Found:
    """Return the addresses in their order, but one family by turns with the other."""
    turns: collections.Counter[int] = collections.Counter()
    places = []
    for info in found:
        places.append(turns[info[0]])
        turns[info[0]] += 1
    return [info for _, info in sorted(zip(places, found, strict=True), key=lambda pair: pair[0])]


async def _attempt(info: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, address = info
    connecting = socket.socket(family, kind, protocol)
    try:
        connecting.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connecting, address)
    except BaseException:
        connecting.close()
        raise
    return connecting


def _discard(attempt: asyncio.Task[socket.socket]) -> None:
    """Close what connected too late."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
