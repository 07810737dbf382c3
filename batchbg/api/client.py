"""The operations of the API, one method each.

The key is sent to the API's host and nowhere else: transfers go through ``storage``, which never has it.
"""

import dataclasses
import datetime
import functools
import ssl
from typing import Final, Self
from urllib.parse import quote, urlsplit

import httpx

from batchbg.api import wire
from batchbg.api.connection import Connection
from batchbg.api.exchange import Exchange
from batchbg.api.limiter import RateLimiter, Urgency
from batchbg.api.storage import Storage
from batchbg.api.transport import Carrier
from batchbg.core.addresses import is_loopback
from batchbg.core.create_outcome import Ambiguous, Answer, Created, Outcome, Silence, classify
from batchbg.errors import AccountRefused, AccountUnreadable, ApiUnreachable, RequestRefused


class MagicHour:
    """One account at the service.

    Attributes:
        storage: where its photos go up and its results come down.
    """

    def __init__(self, base_url: str, key: str, limiter: RateLimiter, *, width: int = 32) -> None:
        """Talk to ``base_url`` with ``key``, with up to ``width`` exchanges and as many transfers at once."""
        near = is_loopback(urlsplit(base_url).hostname or "")
        verify = _trust(is_plain=base_url.startswith("http:"))
        self._connection = Connection(base_url, key, limiter)
        self._carrier = Carrier(width, verify, direct=near)
        # What an earlier answer left on a connection must not be taken for the answer to a create.
        self._creating = Carrier(width, verify, direct=near, reuse=False)
        self._transfers = Carrier(width, verify, direct=near)
        self.storage = Storage(self._transfers, self._connection.hide, near=near)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for carrier in (self._carrier, self._creating, self._transfers):
            await carrier.aclose()

    @property
    def skew_s(self) -> float | None:
        """Seconds by which this machine's clock was ahead of the service's at the last answer; None if none was dated."""
        return self._connection.skew_s

    async def account(self) -> wire.Account | None:
        """GET /v1/account. None where the service has no such operation: older descriptions lack it.

        Raises:
            AccountUnreadable: the key may not ask for it.
            AccountRefused, ApiUnreachable: see ``errors``.
        """
        try:
            found = wire.account(await self._connection.ask(self._carrier, "GET", "/v1/account", Urgency.UPLOAD))
        except RequestRefused:
            return None
        except AccountRefused as error:
            if error.status == 403:
                raise AccountUnreadable(str(error)) from error
            if error.status == 401:
                raise
            return None  # the next requests show whether the plan allows more than this one
        if found is None:
            raise ApiUnreachable("the account's answer cannot be read")
        return found

    async def upload_targets(self, extensions: list[str]) -> list[wire.UploadTarget]:
        """POST /v1/files/upload-urls: one target for each extension ("jpg"), in their order.

        Raises:
            AccountRefused, ApiUnreachable, RequestRefused: see ``errors``.
        """
        items = [{"type": "image", "extension": extension} for extension in extensions]
        body = await self._connection.ask(
            self._carrier, "POST", "/v1/files/upload-urls", Urgency.UPLOAD, {"items": items}
        )
        targets = wire.upload_targets(body, len(items))
        if targets is None:
            raise ApiUnreachable("the answer to upload-urls cannot be read")
        return targets

    async def create(
        self, name: str, image_path: str, background_path: str | None, exchange: Exchange | None = None
    ) -> Outcome:
        """POST /v1/image-background-remover, the one request that costs credits. Sent once, whatever happens.

        The caller has waited for the request rate and committed the intent. One that stops waiting for the answer
        takes what has come so far from ``exchange`` to ``judge``.
        """
        assets = {"image_file_path": image_path}
        if background_path is not None:
            assets["background_image_file_path"] = background_path
        body = {"name": name, "assets": assets}
        reply = await self._connection.exchange(self._creating, "POST", "/v1/image-background-remover", body, exchange)
        return self.judge(reply)

    def judge(self, reply: Answer | Silence) -> Outcome:
        """Decide what a create did."""
        now = datetime.datetime.now(datetime.UTC)
        if isinstance(reply, Answer):
            self._connection.throttling.notice(reply, now)
        outcome, hide = classify(reply, now), self._connection.hide
        if isinstance(outcome, Created):
            if hide(outcome.project_id) == outcome.project_id:
                price = dataclasses.replace(outcome.price, odd=hide(outcome.price.odd))
                return dataclasses.replace(outcome, price=price)
            outcome = Ambiguous("the project id in the answer holds the API key")
        return dataclasses.replace(outcome, reason=hide(outcome.reason))

    async def project(self, project_id: str) -> wire.Project:
        """GET /v1/image-projects/{id}.

        Raises:
            AccountRefused, ApiUnreachable, RequestRefused: see ``errors``; status 404 where it is not known.
        """
        body = await self._connection.ask(self._carrier, "GET", _project_path(project_id), Urgency.STATUS)
        found = wire.project(body, project_id)
        if found is None:
            raise ApiUnreachable("the project's answer cannot be read, or is that of another project")
        return found

    async def delete(self, project_id: str) -> None:
        """DELETE /v1/image-projects/{id}: its results are gone for good, and nothing brings them back.

        A project that the service does not know (any more) counts as deleted: the answer to an earlier try may have
        been lost.

        Raises:
            AccountRefused, ApiUnreachable, RequestRefused: see ``errors``; it may or may not be deleted.
        """
        try:
            await self._connection.ask(self._carrier, "DELETE", _project_path(project_id), Urgency.DELETE)
        except RequestRefused as error:
            if error.status not in GONE or not error.has_reason:
                raise


GONE: Final = (404, 410)
"""HTTP statuses with which the service says that a project is not there."""


def _project_path(project_id: str) -> str:
    if project_id in (".", ".."):  # would be read as a step in the path
        raise RequestRefused(f"{project_id!r} is not a project id", status=404)
    return f"/v1/image-projects/{quote(project_id, safe='')}"


@functools.cache
def _trust(*, is_plain: bool) -> ssl.SSLContext:
    """Return the certificates to trust, from the environment as httpx users expect. Loading them takes 20 ms.

    A service on this machine that is spoken to in plain http needs none: what the environment names is not read.
    """
    return httpx.create_ssl_context(trust_env=not is_plain)
