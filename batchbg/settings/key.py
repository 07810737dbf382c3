"""The API key and the webhook secret: where they come from, and what a file that holds one has to be."""

import os
import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from batchbg.errors import ConfigError
from batchbg.settings.network import check_network
from batchbg.settings.trust import read_regular
from batchbg.settings.values import Settings

KEY_VARIABLE: Final = "MAGIC_HOUR_API_KEY"
"""Source: the service's docs and spec samples."""

SECRET_VARIABLE: Final = "MAGIC_HOUR_WEBHOOK_SECRET"
"""Source: the service's docs, secure-handler."""

KEY_BYTES: Final = 4096
"""Of a key file; a key has some dozens."""

OTHERS_KEYS: Final = re.compile(
    r"-----BEGIN|hvs\.|s\.[A-Za-z0-9]{24}$|ghp_|gho_|github_pat_|glpat-|xox[a-z]-|AKIA|eyJ|sk-|pypi-|npm_"
)
"""How the keys of other services begin. Source: their public descriptions of token formats."""


def api_key(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the API key from the environment or from ``api_key_file``, for requests that can be sent.

    Raises:
        ConfigError: there is none, the file can be read by others, or the environment lets no request through.
    """
    if settings.sandbox:
        return "sandbox"
    check_network(environ)
    key = environ.get(KEY_VARIABLE, "").strip()
    if not key and settings.api_key_file:
        key = read_key(settings.api_key_file)
    if not key:
        raise ConfigError(
            f"no API key: set {KEY_VARIABLE}, or api_key_file in config.toml;"
            " `batchbg run --sandbox` rehearses without one"
        )
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ConfigError("the API key holds blanks or characters that no key has; copy it again")
    return key


def webhook_secret(settings: Settings, environ: Mapping[str, str]) -> bytes:
    """Return the secret with which the service signs webhook events, from the environment or ``webhook_secret_file``.

    Raises:
        ConfigError: there is none, or the file can be read by others.
    """
    secret = environ.get(SECRET_VARIABLE, "").strip()
    if not secret and settings.webhook_secret_file:
        secret = _read_secret(settings.webhook_secret_file, "webhook_secret_file")
    if not secret:
        raise ConfigError(f"no webhook secret: set {SECRET_VARIABLE}, or webhook_secret_file in config.toml")
    return secret.encode()


def read_key(path: Path) -> str:
    """Return the key in the file at ``path``; "" where it is empty.

    Raises:
        ConfigError: it cannot be read, others can read it, or it holds something else.
    """
    text = _read_secret(path, "api_key_file")
    if OTHERS_KEYS.match(text) or re.match(r"\w+\s*=.", text):
        raise ConfigError(f"api_key_file {path} does not hold a key of this service; name another file")
    return text


def _read_secret(path: Path, setting: str) -> str:
    """Return the one line in a file that others cannot read, which a setting names; "" where it is empty.

    Raises:
        ConfigError: it cannot be read, others can read it, or it holds more.
    """
    try:
        content, found, flags = read_regular(path, KEY_BYTES)
        text = content.decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{setting} {path}: {getattr(error, 'strerror', None) or 'cannot be read'}") from error
    if os.name == "posix":
        _check_secret(path, setting, found, is_read_only=bool(flags & os.ST_RDONLY))
    if len(text.split()) > 1:
        raise ConfigError(f"{setting} {path} holds more than a key: it must be one line with nothing else")
    return text


def _check_secret(path: Path, setting: str, found: os.stat_result, *, is_read_only: bool) -> None:
    """Refuse a file that is no secret.

    Containers have theirs readable to all, on a file system of its own that nobody can write.

    Raises:
        ConfigError: others can read or write it, or it is another user's.
    """
    others = stat.S_IWGRP | stat.S_IWOTH if is_read_only else stat.S_IRWXG | stat.S_IRWXO
    if found.st_mode & others:
        raise ConfigError(f"{setting} {path} can be read by others; `chmod 600 {shlex.quote(str(path))}` fixes it")
    if found.st_uid not in (0, os.geteuid()) and os.geteuid() != 0:
        raise ConfigError(f"{setting} {path} belongs to another user; keep the key in a file of your own")
