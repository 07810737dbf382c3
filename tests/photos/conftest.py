import contextlib
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batchbg.core.model import PhotoInfo
from batchbg.disk.probe import USUAL, ProbeLimits, probe
from batchbg.disk.scan import stamp_of


def see(path: Path, terms: ProbeLimits = USUAL) -> PhotoInfo:
    """Look at a file as a scan does."""
    stamp = stamp_of(path.stat())
    assert stamp is not None
    return probe(path, stamp, terms)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(size: tuple[int, int], depth: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    """A PNG written by hand: depth and colour type as in its header, rows with their filter bytes."""
    header = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + data + chunk(b"IEND", b"")


def two_halves(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Red above, blue below: turned or mirrored it shows."""
    picture = Image.new("RGB", size, (200, 30, 30))
    picture.paste((30, 30, 200), (0, size[1] // 2, *size))
    return picture


@contextlib.contextmanager
def without_privileges() -> Iterator[None]:
    """Let permissions hold, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


NOBODY = 65534


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach and write to, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="batchbg-test-") as made:
        folder = Path(made)
        folder.chmod(0o777)
        yield folder
        for inner in [path for path in folder.rglob("*") if path.is_dir() and not path.is_symlink()]:
            inner.chmod(0o755)


Save = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    def save_as(name: str, picture: Image.Image | None = None, **options: Any) -> Path:
        path = tmp_path / name
        (picture or two_halves()).save(path, **options)
        return path

    return save_as


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def put_at(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return put_at
