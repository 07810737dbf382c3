"""The environment's say on how requests travel: proxies and certificates, checked before anything else is done.

What is wrong with these variables would end a run at its first request, in words that name none of them.
"""

import contextlib
import importlib.util
import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from batchbg.errors import ConfigError

PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
"""In either case of letters, as urllib and httpx take them."""

SOCKS: Final = ("socks5", "socks5h")

HASHED: Final = re.compile(r"[0-9a-f]{8}\.\d+")
"""What OpenSSL calls the certificates that it finds in a folder. Source: its manual, openssl-rehash(1)."""


def check_network(environ: Mapping[str, str]) -> None:
    """Refuse an environment in which no request would get through, or none of those that need a proxy.

    Raises:
        ConfigError: names the variable, and what to do.
    """
    named = [name for name in environ if name.lower() in PROXIES and environ[name]]
    for name in named:
        _check_proxy(name, environ[name])
    for name in environ if named else ():
        if name.lower() == "no_proxy":
            _check_exceptions(name, environ[name])
    _check_certificates(environ)


def _check_proxy(name: str, value: str) -> None:
    try:
        parts = urlsplit(value if "://" in value else f"http://{value}")
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host = "", ""
    if scheme in SOCKS and importlib.util.find_spec("socksio") is None:
        raise ConfigError(
            f"{name}: a SOCKS proxy needs the package socksio: `python -m pip install socksio` beside batchbg,"
            f" or `unset {name}`"
        )
    if scheme not in ("http", "https", *SOCKS) or not host:
        # It may hold a password, so that it is not shown.
        raise ConfigError(
            f"{name}: it is no address of a proxy that can be used, such as http://proxy:3128; correct it,"
            f" or `unset {name}`"
        )


def _check_exceptions(name: str, value: str) -> None:
    """Refuse what httpx cannot read: it takes what is no address of a machine for the end of a host's name."""
    for one in filter(None, map(str.strip, value.split(","))):
        if not _is_readable(one):
            raise ConfigError(
                f"{name}: {one!r} cannot be read; write names of hosts, and of IPv6 single addresses without brackets: ::1"
            )


def _is_readable(one: str) -> bool:
    with contextlib.suppress(ValueError):
        address, _, network = one.partition("/")
        return ipaddress.ip_address(address).version == 4 or not network
    with contextlib.suppress(ValueError):
        return "[" not in one and (urlsplit(one if "://" in one else f"all://{one}").port or 0) >= 0
    return False


def _check_certificates(environ: Mapping[str, str]) -> None:
    """Refuse certificates to trust that cannot be read. Source of the order: httpx, ``create_ssl_context``."""
    if log := environ.get("SSLKEYLOGFILE"):
        try:
            with open(log, "ab"):  # noqa: PTH123 - as OpenSSL does
                pass
        except OSError as error:
            raise _refused("SSLKEYLOGFILE", log, error.strerror or str(error)) from error
    if file := environ.get("SSL_CERT_FILE"):
        _check_file(file)
    elif folders := environ.get("SSL_CERT_DIR"):
        _check_folders(folders)


def _check_file(file: str) -> None:
    import ssl  # 10 ms, for nothing where nobody names one

    try:
        with open(file, "rb"):  # noqa: PTH123 - OpenSSL does not say what is wrong with it
            ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        why = "it holds no certificates" if isinstance(error, ssl.SSLError) else error.strerror or str(error)
        raise _refused("SSL_CERT_FILE", file, why) from error


def _check_folders(folders: str) -> None:
    why = ""
    for folder in filter(None, folders.split(os.pathsep)):
        try:
            if any(HASHED.fullmatch(one.name) for one in Path(folder).iterdir()):
                return
            why = why or "it holds no certificates under the names that `openssl rehash` gives"
        except OSError as error:
            why = error.strerror or str(error)
    raise _refused("SSL_CERT_DIR", folders, why or "it names no folder")


def _refused(name: str, value: str, why: str) -> ConfigError:
    return ConfigError(f"{name}: {value}: {why}; no connection can be made so: correct it, or `unset {name}`")
