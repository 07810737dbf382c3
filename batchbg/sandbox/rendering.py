"""Photo bytes in, PNG bytes out: what the service's render farm does, on one machine.

Cutting out a product takes a tenth of a second and more, so it runs in threads while the job's render time passes,
and results are kept by content. `fast` pictures cost next to nothing and are drawn on the spot.
"""

import contextlib
import functools
import importlib.util
import io
import struct
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Literal

from PIL import Image, ImageOps

from batchbg.disk.input_formats import open_picture
from batchbg.sandbox.records import JobError
from batchbg.sandbox.store import ByteStore

Mode = Literal["cut", "fast", "echo"]

RENDER_THREADS: Final = 2
MOST_PIXELS: Final = 100_000_000
"""Of a picture; a limit of the sandbox, since cutting takes some 33 bytes of memory a pixel."""
LARGE_PIXELS: Final = 16_000_000
"""Pictures above this are drawn one at a time, so that two threads do not need the memory of two."""
_PNG_HEAD_BYTES: Final = 33  # signature and IHDR
_ORIENTATION: Final = 0x0112


class RenderFailed(Exception):
    """No picture could be made; ``error`` is what the job answers. The codes are documented (FACTS, section 6)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.error = JobError(code, message)


class Renderer:
    """Makes each picture once and keeps it while there is room; a dropped one is made again when asked for."""

    def __init__(self, uploads: ByteStore, max_bytes: int) -> None:
        self._uploads = uploads
        self._results = ByteStore(max_bytes)
        self._lock = threading.Lock()
        self._large = threading.Lock()
        self._running: dict[str, Future[bytes]] = {}
        self._threads = ThreadPoolExecutor(RENDER_THREADS, thread_name_prefix="sandbox-render")

    def picture(self, photo_sha256: str, background_sha256: str | None, mode: Mode) -> Future[bytes]:
        """Return the result for this photo on this background, perhaps not made yet.

        Raises (from the future):
            RenderFailed: the bytes are no picture, or are gone.
        """
        key = f"{mode}:{photo_sha256}:{background_sha256}"
        made: Future[bytes] = Future()
        with self._lock:
            if key in self._running:
                return self._running[key]
            known = self._results.get(key)
            if known is not None:
                made.set_result(known)
                return made
            work = functools.partial(self._make, key, photo_sha256, background_sha256, mode)
            if mode != "fast":
                made = self._running[key] = self._threads.submit(work)
        if mode == "fast":
            _run(work, made)
        return made

    def _make(self, key: str, photo_sha256: str, background_sha256: str | None, mode: Mode) -> bytes:
        try:
            photo = self._upload(photo_sha256)
            background = self._upload(background_sha256) if background_sha256 else None
            with self._large if mode != "fast" and _is_large(photo) else contextlib.nullcontext():
                made = _DRAW[mode](photo, background)
            result = labelled(made, photo_sha256, background_sha256)
            self._results.put(key, result)
            return result
        finally:
            with self._lock:
                self._running.pop(key, None)

    def _upload(self, sha256: str) -> bytes:
        content = self._uploads.get(sha256)
        if content is None:
            raise RenderFailed("invalid_image_path", "the upload is no longer stored (max_stored_bytes is used up)")
        return content

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _run(work: Callable[[], bytes], into: Future[bytes]) -> None:
    try:
        into.set_result(work())
    except Exception as exc:  # what a thread pool does too: whoever asks for the result gets it
        into.set_exception(exc)


def is_rough() -> bool:
    """Return whether OpenCV is missing, so that products are cut out roughly; imports nothing, which takes long."""
    return importlib.util.find_spec("cv2") is None


# Drawing


def _open(content: bytes) -> Image.Image:
    try:
        image = open_picture(io.BytesIO(content))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as exc:
        raise _too_large() from exc
    except Exception as exc:  # Pillow's plugins let out what they like: OSError, SyntaxError, struct.error, …
        raise RenderFailed("invalid_image_file", "the file is not an image that can be read") from exc
    if image.width * image.height > MOST_PIXELS:
        raise _too_large()
    return image


def _too_large() -> RenderFailed:
    return RenderFailed("file_too_large", f"the sandbox takes pictures of up to {MOST_PIXELS // 1_000_000} megapixels")


def _is_large(content: bytes) -> bool:
    width, height = upright_size(content)
    return width * height > LARGE_PIXELS


def _upright(content: bytes) -> Image.Image:
    """Return the picture decoded, turned by its EXIF orientation, as RGB or RGBA."""
    with _open(content) as opened:
        try:
            image = ImageOps.exif_transpose(opened)
            return image.convert("RGBA" if image.has_transparency_data else "RGB")
        except Exception as exc:  # as above
            raise RenderFailed("invalid_image_file", "the image is damaged") from exc


def upright_size(content: bytes) -> tuple[int, int]:
    """Return width and height in pixels after EXIF orientation, without decoding the pixels."""
    with _open(content) as image:
        try:
            turned = image.getexif().get(_ORIENTATION, 1) >= 5
        except Exception:  # damaged EXIF is no EXIF
            turned = False
        return (image.height, image.width) if turned else (image.width, image.height)


def _cut(photo: bytes, background: bytes | None) -> bytes:
    try:
        from batchbg.sandbox.cutout import compose  # needs OpenCV, 0.2 s to import, and not needed by the other modes
    except ImportError:  # also where it is installed and a library of the system's is missing
        from batchbg.sandbox.rough import compose

    return encode(compose(_upright(photo), _upright(background) if background else None))


def _fast(photo: bytes, background: bytes | None) -> bytes:
    if background is not None:
        upright_size(background)
    return blank(*upright_size(photo), opaque=background is not None)


def _echo(photo: bytes, background: bytes | None) -> bytes:
    return encode(_upright(photo).convert("RGBA"))


_DRAW: Final[dict[Mode, Callable[[bytes, bytes | None], bytes]]] = {"cut": _cut, "fast": _fast, "echo": _echo}


def encode(image: Image.Image) -> bytes:
    """Return ``image`` as PNG, with the least compression: four times as fast, a tenth larger."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@functools.lru_cache(maxsize=64)
def blank(width: int, height: int, opaque: bool) -> bytes:
    """Return an RGBA PNG: a grey rectangle in the middle, around it nothing (or white where ``opaque``).

    Written row by row: one of 12 megapixels would be 48 MB as an image and is some 100 kB as a file.
    """
    around = b"\xff\xff\xff\xff" if opaque else b"\0\0\0\0"
    left, top = width // 4, height // 4
    outside = b"\0" + around * width
    inside = b"\0" + around * left + b"\x80\x80\x80\xff" * (width - 2 * left) + around * left
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(inside if top <= y < height - top else outside) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", rows + packer.flush()) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def labelled(png: bytes, photo_sha256: str, background_sha256: str | None) -> bytes:
    """Return ``png`` with text chunks that name what it was made from, so that a test can tell results apart."""
    label = _chunk(b"tEXt", b"Software\0batchbg-sandbox") + _chunk(b"tEXt", b"Photo\0" + photo_sha256.encode())
    if background_sha256:
        label += _chunk(b"tEXt", b"Background\0" + background_sha256.encode())
    return png[:_PNG_HEAD_BYTES] + label + png[_PNG_HEAD_BYTES:]


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
