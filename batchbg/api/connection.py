"""Requests to the API's host: the one place that holds the key."""

import datetime
import email.utils
import json
import time
from typing import Any, Final

import httpx

from batchbg.api.deadline import RunningDeadline
from batchbg.api.exchange import Exchange
from batchbg.api.limiter import RateLimiter, Urgency
from batchbg.api.throttling import BUSY, Throttling
from batchbg.api.transport import AGENT, Carrier, kind_of
from batchbg.core.create_outcome import Answer, Silence, error_text, is_account_refusal, retry_after_s
from batchbg.core.text import scrub, scrubbed
from batchbg.errors import AccountRefused, ApiUnreachable, RequestRefused

TIMEOUT: Final = httpx.Timeout(connect=10.0, read=None, write=None, pool=60.0)
"""Seconds until a request leaves; from then on the deadlines below count, which first read what has arrived."""

SILENT_S: Final = 60.0
"""Seconds in which nothing comes or goes, after which the API counts as silent. The official SDK waits as long."""

DEADLINE_S: Final = 120.0
"""Seconds for a whole exchange with the API: a body that trickles in for ever is no answer."""


class Connection:
    """Sends requests to one host with one key, and reads what comes back.

    Attributes:
        base_url: the host.
        throttling: what every answer is shown to.
    """

    def __init__(self, base_url: str, key: str, limiter: RateLimiter) -> None:
        """Talk to ``base_url`` with ``key``, no faster than ``limiter`` lets."""
        self.base_url = base_url.rstrip("/")
        self._key = key
        self._limiter = limiter
        self.throttling = Throttling(limiter)
        self._headers = AGENT | {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._dated = ("", 0.0)

    @property
    def skew_s(self) -> float | None:
        """Seconds by which this machine's clock was ahead of the service's at the last answer; None if none was dated."""
        date, here = self._dated
        try:
            return here - email.utils.parsedate_to_datetime(date).timestamp()
        except (ValueError, TypeError, OverflowError):
            return None

    async def ask(self, carrier: Carrier, method: str, path: str, urgency: Urgency, body: Any = None) -> Any:
        """Send a request that costs nothing and return the parsed answer; None for a 204, which has none.

        Raises:
            AccountRefused, ApiUnreachable, RequestRefused: see ``errors``.
        """
        await self._limiter.acquire(urgency)
        reply = await self.exchange(carrier, method, path, body)
        what = f"{method} {path.removeprefix('/v1')}"
        if isinstance(reply, Silence):
            raise ApiUnreachable(f"{what}: {reply.reason}")
        now = datetime.datetime.now(datetime.UTC)
        self.throttling.notice(reply, now)
        if 200 <= reply.status < 300 and not reply.broken:
            if reply.status == 204:
                return None
            try:
                return scrubbed(json.loads(reply.body), self._key)
            except (ValueError, RecursionError) as error:
                raise ApiUnreachable(f"{what}: {reply.status} with a body that is not JSON") from error
        code, message = map(self.hide, error_text(reply.body))
        text = self.hide(" ".join(part for part in (f"{what}: {reply.status}", code, message, reply.broken) if part))
        if is_account_refusal(reply.status, code):
            raise AccountRefused(text, status=reply.status)
        if 400 <= reply.status < 500 and reply.status not in (408, 425, 429):
            raise RequestRefused(text, status=reply.status, has_reason=bool(code or message))
        raise ApiUnreachable(text, retry_after_s=retry_after_s(reply.headers, now), busy=reply.status in BUSY)

    async def exchange(
        self, carrier: Carrier, method: str, path: str, body: Any = None, exchange: Exchange | None = None
    ) -> Answer | Silence:
        """Send one request to the API's host and return what came back, as far as it did."""
        exchange = exchange or Exchange()
        followed = exchange
        try:
            request = httpx.Request(
                method,
                self.base_url + path,
                headers=self._headers,
                json=body,
                extensions={"timeout": TIMEOUT.as_dict(), "trace": exchange.trace},
            )
            async with (
                RunningDeadline(SILENT_S, DEADLINE_S, lambda: followed.progress),
                carrier.send(request) as response,
            ):
                exchange.begin_answer(response.status_code, response.headers)
                self._dated = (exchange.headers.get("date", ""), time.time())
                async for chunk in response.aiter_raw():
                    if not exchange.take(chunk):
                        return exchange.reply("too long")
        except Exception as error:  # whatever goes wrong on the wire: the question is only whether anything left
            if isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)):
                exchange.started = False
            return exchange.reply(self.hide(kind_of(error)))
        return exchange.reply()

    def hide(self, text: str) -> str:
        """Take the key out of a message: a server may echo it, and messages are kept."""
        return scrub(text, self._key)
