"""A ledger with results to look over, and the server of their review in a thread."""

import contextlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.review.server import ReviewServer, reviewing
from tests.report.support import Shop
from tests.support.cut_outs import make


def encoded(picture: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=90, compress_level=1)
    return buffer.getvalue()


def draw(shop: Shop, path: str, number: int, fault: str = "") -> Job:
    """Draw a product, and enter it with its result, as a run leaves them."""
    made = make(number, fault)
    job = shop.plan(path, encoded(made.photo, "JPEG"), width=made.photo.width, height=made.photo.height)
    return shop.bring(job, JobState.DONE, result=encoded(made.result))


@contextlib.contextmanager
def served(shop: Shop, cache: Path | None = None) -> Iterator[ReviewServer]:
    """Serve the review of a shop's ledger from a thread."""
    with reviewing(shop.url, 0, cache) as server:
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(30)
