"""Beside the official SDK's generate() in a thread pool of the same width, against the same server.

    python -m tests.benchmarks.sdk --images 60

Five slots, renders of a second, 80 ms of latency, 0.3 s for each upload. Needs the ``contract`` extra.
"""

import argparse
import concurrent.futures
import importlib
import os
import tempfile

from tests.benchmarks.serving import KEY, Service, Spent, Work, batchbg, serving, spent, table, work

WIDTH = 5


def generate(made: Work, service: Service) -> None:
    """Do as the SDK's documentation does, with one upload of the background for all."""
    client = importlib.import_module("magic_hour").Client(token=KEY, base_url=service.url)
    (path,) = made.backgrounds.iterdir()
    background = client.v1.files.upload_file(file=str(path))

    def one(photo: str) -> None:
        assets = {"image_file_path": photo, "background_image_file_path": background}
        with tempfile.TemporaryDirectory(dir=made.folder) as folder:
            client.v1.image_background_remover.generate(
                assets=assets,
                wait_for_completion=True,
                download_outputs=True,
                download_directory=folder,
            )

    with concurrent.futures.ThreadPoolExecutor(WIDTH) as pool:
        list(pool.map(one, sorted(str(photo) for photo in made.photos.rglob("*.jpg"))))


def beside_the_sdk(number: int) -> str:
    """Return the table."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    rows, seconds = [], {}
    options = ["--render-time", "1s", "--slots", str(WIDTH), "--latency", "80ms"]
    options += ["--set", "upload_s=0.3", "--set", "background_cutout=fast"]
    for name in ("SDK", "batchbg"):
        with work(number) as made, serving(*options) as service:
            took: Spent
            if name == "SDK":
                took = spent(lambda made=made, service=service: generate(made, service))  # type: ignore[misc]
            else:
                took = batchbg(made, service, "--requests-per-second", "1000", "--max-in-flight", str(WIDTH))
            books = service.ask("books?brief=1")
        seconds[name] = took.wall_s
        polls, uploads = (books["requests"][operation] / number for operation in ("status", "upload"))
        rows.append(
            [
                name,
                f"{number / took.wall_s:.2f}",
                f"{seconds['SDK'] / took.wall_s:.2f}",
                f"{polls:.1f}",
                f"{uploads:.2f}",
                f"{books['uploaded_bytes'] / number:.0f}",
            ]
        )
    return table(["", "images/s", "ratio", "status requests an image", "uploads an image", "bytes up an image"], rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=60)
    print(beside_the_sdk(parser.parse_args().images))
