"""A ledger with results to look over, and the server of their review in a thread."""

import contextlib
import io
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from batchbg.core.lifecycle import JobState
from batchbg.core.model import Job
from batchbg.review.application import Redo
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
def served(shop: Shop, cache: Path | None = None, redo: Redo | None = None) -> Iterator[ReviewServer]:
    """Serve the review of a shop's ledger from a thread."""
    with reviewing(shop.url, 0, cache, redo) as server:
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(30)


def many(shop: Shop, number: int) -> None:
    """Enter very many results at once, past the functions that a run uses; their files are missing."""
    first = shop.make("first.png")
    with contextlib.closing(sqlite3.connect(shop.ledger.path)) as connection:
        jobs = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
        outputs = [row[1] for row in connection.execute("PRAGMA table_info(outputs)")]
        job = dict(zip(jobs, connection.execute("SELECT * FROM jobs WHERE id = ?", [first.id]).fetchone(), strict=True))
        output = dict(
            zip(
                outputs,
                connection.execute("SELECT * FROM outputs WHERE id = ?", [job["output_id"]]).fetchone(),
                strict=True,
            )
        )

        def copies() -> Iterator[tuple[dict[str, object], dict[str, object]]]:
            for one in range(1, number):
                name, id_ = f"IMG_{one:06}", f"job{one:09}"
                own = {
                    "id": 1_000_000 + one,
                    "path": f"{one % 300}/{name}.png",
                    "photo_path": f"{one % 300}/{name}.jpg",
                }
                held = {"wanted_job_id": id_, "saved_job_id": id_, "saved_sha256": f"{one:064x}"}
                yield job | {"id": id_, "photo_sha256": f"{one:064x}", "output_id": own["id"]}, output | own | held

        made = list(copies())
        for table, columns, place in (("outputs", outputs, 1), ("jobs", jobs, 0)):
            values = ", ".join(f":{column}" for column in columns)
            connection.executemany(f"INSERT INTO {table} VALUES ({values})", [both[place] for both in made])
        connection.commit()
