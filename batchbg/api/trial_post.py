"""Posting one request to a public address, without the key, to see what answers there."""

from urllib.parse import urlsplit

import httpx

from batchbg import __version__
from batchbg.core.addresses import is_loopback
from batchbg.errors import ApiUnreachable

TIMEOUT_S = 10.0
"""Seconds in which the service wants an answer, too. Source: docs, create-webhook."""


def post(url: str, body: bytes, headers: dict[str, str]) -> int:
    """Return the status of the answer; redirects are not followed, as the service does not promise to.

    Raises:
        ApiUnreachable: there is none.
    """
    sent = {"user-agent": f"batchbg/{__version__}", "content-type": "application/json", **headers}
    near = is_loopback(urlsplit(url).hostname or "")
    try:
        with httpx.Client(verify=httpx.create_ssl_context(), trust_env=not near, timeout=TIMEOUT_S) as client:
            return client.post(url, content=body, headers=sent, follow_redirects=False).status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ApiUnreachable(f"{type(error).__name__}: {error}") from error
