from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.pictures import Save, two_halves


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


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """Somebody's file, to which planted links lead."""
    file = tmp_path / "elsewhere" / "victim"
    file.parent.mkdir()
    file.write_bytes(b"somebody's")
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder
