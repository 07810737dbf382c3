"""Sockets in the place of files."""

import contextlib
import socket
from pathlib import Path


def plant_socket(path: Path) -> None:
    """Leave a socket at a path of any length: the system takes some 100 bytes for its name, so it is bound from beside."""
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
