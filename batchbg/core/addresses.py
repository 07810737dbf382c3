"""Addresses of services: which may be told a secret, and which are this machine."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from batchbg.errors import ConfigError

MAGIC_HOUR_URL: Final = "https://api.magichour.ai"
"""The API's host. Source: the spec's servers list; every path begins with /v1."""


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine, where nothing crosses a network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_host(url: str, name: str, sent: str = "the API key") -> None:
    """Refuse an address to which nothing secret may be sent; ``name`` is the setting's, ``sent`` what would go there.

    Raises:
        ConfigError: not http(s), without a host, or plain http to another machine.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"{name}: {url!r} is not an address: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(f"{name}: {url!r} is not an address such as {MAGIC_HOUR_URL}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{name}: only scheme, host, port and path belong in the address")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"{name}: plain http to {host} would send {sent} unprotected; use https")


def without_password(text: str) -> str:
    """Return a text in which no URL of a database shows its password; of several, of each."""
    return _IN_QUERY.sub("", _IN_URL.sub(r"\1", text))


_IN_URL: Final = re.compile(r"(postgres[a-z0-9+]*://[^\s:/?#]*):\S*(?=@)", re.IGNORECASE)
_IN_QUERY: Final = re.compile(r"(?<=[?&])\w*password=[^&\s]*&?", re.IGNORECASE)
