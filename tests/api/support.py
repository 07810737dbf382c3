from collections.abc import Callable
from typing import Any

KEY = "a-secret-key-0123456789"

Addresses = list[tuple[Any, ...]]
"""Families, each with an address of a socket."""

Resolve = Callable[[Addresses], None]
