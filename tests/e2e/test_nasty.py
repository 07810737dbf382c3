"""A folder of 300 entries, everything that can be wrong with photos in it, run from end to end."""

import hashlib
import io
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from batchbg.core.text import shown
from tests.support.pictures import png
from tests.support.shop import Shop
from tests.support.sockets import plant_socket

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]

ENTRIES = 300

Maker = Callable[[], tuple[str, bytes]]


def noise(draw: random.Random) -> Image.Image:
    """A small picture that no other is like."""
    size = draw.choice([(24, 18), (18, 24), (20, 20), (37, 11)])
    return Image.frombytes("RGB", size, draw.randbytes(size[0] * size[1] * 3))


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def good(draw: random.Random) -> tuple[str, bytes]:
    """The ending and the bytes of a photo that can be sent."""
    picture = noise(draw)
    makers: list[Maker] = [
        lambda: (".jpg", encoded(picture, "JPEG")),
        lambda: (".JPG", encoded(picture, "JPEG", exif=turned(draw.randint(2, 8)))),
        lambda: (".png", encoded(picture.convert("RGBA"), "PNG")),
        lambda: (".png", encoded(picture.convert("I"), "TIFF")),
        lambda: (".jpg", encoded(picture.convert("CMYK"), "JPEG")),
        lambda: (".webp", encoded(picture, "WEBP")),
        lambda: (".tif", encoded(picture, "TIFF", exif=turned(6))),
        lambda: (".gif", encoded(picture, "GIF")),
        lambda: (".bmp", encoded(picture, "BMP")),
        lambda: (".jpg", encoded(picture, "PNG")),  # called something else
        lambda: ("", encoded(picture, "JPEG")),  # no ending at all
        lambda: (".heic", encoded(picture, "HEIF")),
        lambda: (".avif", encoded(picture, "AVIF")),
        lambda: (".jp2", encoded(picture, "JPEG2000")),
    ]
    return draw.choice(makers)()


def bad(draw: random.Random) -> tuple[str, bytes]:
    """The ending and the bytes of a file that claims to be a photo and cannot be sent."""
    picture, other = noise(draw), noise(draw)
    makers: list[Maker] = [
        lambda: (".jpg", b""),
        lambda: (".png", draw.randbytes(50)),
        lambda: (".jpg", b"<html>not found</html>" + draw.randbytes(4)),
        lambda: (".jpg", encoded(picture, "JPEG")[:-200]),
        lambda: (".png", encoded(picture, "PNG")[:-100]),
        lambda: (".gif", encoded(picture, "GIF", save_all=True, append_images=[other.resize(picture.size)])),
        lambda: (".webp", encoded(picture, "WEBP", save_all=True, append_images=[other.resize(picture.size)])),
        lambda: (".tiff", encoded(picture, "TIFF", save_all=True, append_images=[other])),
        lambda: (".svg", b"<svg>" + draw.randbytes(4)),
        lambda: (".nef", draw.randbytes(40)),
        lambda: (".psd", b"8BPS" + draw.randbytes(40)),
        lambda: (".png", png((90_000, 90_000), 8, 2, draw.randbytes(4))),
    ]
    return draw.choice(makers)()


NAMES = [
    "IMG",
    "img",
    "Schuh",
    "e\u0301te\u0301",
    "\u00e9t\u00e9",
    "\U0001f45f",
    "new\nline",
    "dot.",
    "a b",
    "CON",
    "n" * 200,
]


class Nasty:
    """Makes the folder and keeps books on what should become of it."""

    def __init__(self, root: Path, draw: random.Random) -> None:
        self.root = root
        self.draw = draw
        self.folders = ["", "2019", "2019/shoes", "Neu (2)", "photo.jpg"]
        self.sendable: dict[str, str] = {}  # path: content
        self.rejected: set[str] = set()
        self.ignored = 0
        self.number = 0
        for folder in self.folders:
            (root / folder).mkdir(exist_ok=True)

    def path(self, ending: str) -> str:
        """Return a path that is not taken yet; of what would be one picture with a file of its name, a name of its own."""
        numbers = [self.number] if ending in (".nef", ".psd", ".tif") else ["", self.number]
        while True:
            folder, name = self.draw.choice(self.folders), self.draw.choice(NAMES)
            path = f"{folder}/{name}{self.draw.choice(numbers)}{ending}".lstrip("/")
            if not os.path.lexists(self.root / path):
                return path

    def fill(self) -> None:
        for self.number in range(ENTRIES):
            kind = self.draw.choices(["good", "twin", "bad", "other", "junk", "odd"], [8, 2, 5, 1, 1, 2])[0]
            getattr(self, f"add_{kind}")()

    def write(self, path: str, data: bytes) -> str:
        (self.root / path).write_bytes(data)
        return path

    def add_good(self) -> None:
        ending, data = good(self.draw)
        self.sendable[self.write(self.path(ending), data)] = hashlib.sha256(data).hexdigest()

    def add_twin(self) -> None:
        """The same content once more, as a file or as a link."""
        if not self.sendable:
            return self.add_good()
        original = self.draw.choice(sorted(self.sendable))
        path = self.path(".jpg")
        if self.draw.random() < 0.3:
            (self.root / path).symlink_to(self.root / original)
        else:
            self.write(path, (self.root / original).read_bytes())
        self.sendable[path] = self.sendable[original]
        return None

    def add_bad(self) -> None:
        ending, data = bad(self.draw)
        self.rejected.add(self.write(self.path(ending), data))

    def add_other(self) -> None:
        self.write(self.path(self.draw.choice([".txt", ".mp4", ".xmp", ".docx"])), self.draw.randbytes(30))
        self.ignored += 1

    def add_junk(self) -> None:
        name = self.draw.choice([".DS_Store", "._IMG.jpg", "Thumbs.db", "@eaDir", "__MACOSX", ".git"])
        folder = self.root / self.draw.choice(self.folders)
        if os.path.lexists(folder / name):
            return self.add_other()
        if "." in name[1:] or name == ".DS_Store":
            (folder / name).write_text("junk")
        else:
            (folder / name).mkdir()
            (folder / name / "inside.jpg").write_bytes(encoded(noise(self.draw), "JPEG"))
        self.ignored += 1
        return None

    def add_odd(self) -> None:
        path = self.root / self.path(".jpg")
        match self.draw.randrange(5):
            case 0:
                os.mkfifo(path)
            case 1:
                path.symlink_to("nowhere")
            case 2:
                path.symlink_to(path.name)
            case 3:
                path.symlink_to(self.root)
            case 4:
                plant_socket(path.parent / f"s{self.number}.jpg")
        self.ignored += 1


def snapshot(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything about everything below a folder, but when it was last read."""
    found: dict[str, tuple[object, ...]] = {}
    for parent, folders, files in os.walk(root):
        for name in [".", *folders, *files]:
            path = Path(parent, name)
            told = path.lstat()
            content: object = None
            if stat.S_ISREG(told.st_mode):
                content = hashlib.sha256(path.read_bytes()).digest()
            elif stat.S_ISLNK(told.st_mode):
                content = path.readlink()
            found[str(path)] = (told.st_mode, told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino, content)
    return found


@pytest.mark.parametrize("seed", [1])
def test_every_entry_of_a_nasty_folder_is_accounted_for(shop: Shop, seed: int, monkeypatch: pytest.MonkeyPatch):
    """Seen and ignored add up to the entries, nothing rejected is paid for, and the photos stay as they are."""
    monkeypatch.chdir(shop.folder)
    nasty = Nasty(shop.photos, random.Random(seed))
    nasty.fill()
    shop.background("plain.png", size=(24, 18))
    before = snapshot(shop.photos)

    planned = shop.do("plan", "--json")
    assert planned.code == 3
    result = shop.run("--json", "--max-in-flight", "16", "-y")
    assert snapshot(shop.photos) == before

    contents = set(nasty.sendable.values())
    photos = result.json["photos"]
    assert photos["seen"] + photos["ignored"] == ENTRIES
    assert photos == {
        "seen": len(nasty.sendable) + len(nasty.rejected),
        "rejected": len(nasty.rejected),
        "reused": len(nasty.sendable) - len(contents),
        "skipped": 0,
        "ignored": nasty.ignored,
    }
    assert (result.code, result.json["jobs"]["done"]) == (3, len(contents))
    assert len(shop.creates()) == len(contents)
    assert result.json["credits"]["charged"] == 5 * len(contents)
    assert planned.json["credits"] == 5 * len(contents)
    assert len(shop.outputs()) == len(nasty.sendable)
    for path in sorted(nasty.rejected):
        assert f"rejected {shown(path)}: " in result.err
    shop.assert_adds_up()

    again = shop.run("--json")
    assert (again.code, again.json["photos"]["skipped"]) == (0, len(nasty.sendable))
    assert len(shop.creates()) == len(contents)
    assert snapshot(shop.photos) == before
