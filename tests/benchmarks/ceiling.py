"""Jobs a second where the service takes no time, beside a bare httpx loop that makes the same requests.

    python -m tests.benchmarks.ceiling --jobs 1000

A bare loop keeps no ledger, checks nothing and renames nothing: it shows what httpx alone costs.
"""

import argparse
import asyncio

import httpx

from tests.benchmarks.serving import KEY, Service, Spent, Work, batchbg, serving, spent, table, work


async def bare(made: Work, service: Service, width: int) -> None:
    """Upload, create, look, download, each photo after the other in ``width`` tasks on one client."""
    photos = ((path.stem, path.read_bytes()) for path in made.photos.rglob("*.jpg"))
    (background,) = (path.read_bytes() for path in made.backgrounds.iterdir())
    limits = httpx.Limits(max_connections=width, max_keepalive_connections=width)
    output = made.folder / "output"
    output.mkdir()
    key = {"Authorization": f"Bearer {KEY}"}  # for the API alone: storage refuses it
    async with httpx.AsyncClient(base_url=service.url, limits=limits, timeout=60) as client:

        async def upload(data: bytes) -> str:
            items = {"items": [{"type": "image", "extension": "jpg"}]}
            answer = await client.post("/v1/files/upload-urls", json=items, headers=key)
            (target,) = answer.json()["items"]
            (await client.put(target["upload_url"], content=data)).raise_for_status()
            return str(target["file_path"])

        background_path = await upload(background)

        async def worker() -> None:
            for name, data in photos:
                assets = {"image_file_path": await upload(data), "background_image_file_path": background_path}
                body = {"name": name, "assets": assets}
                answer = await client.post("/v1/image-background-remover", json=body, headers=key)
                project = answer.raise_for_status().json()["id"]
                while True:
                    found = (await client.get(f"/v1/image-projects/{project}", headers=key)).json()
                    if found["status"] == "complete":
                        break
                    await asyncio.sleep(0.01)
                result = await client.get(found["downloads"][0]["url"])
                (output / f"{name}.png").write_bytes(result.raise_for_status().content)

        await asyncio.gather(*(worker() for _ in range(width)))


def ceiling(number: int, widths: list[int], rounds: int = 2) -> str:
    """Return the table."""
    rows = []
    options = ["--render-time", "0s", "--set", "background_cutout=fast"]
    with work(number) as made, serving(*options) as service:
        nothing = batchbg(made, service, "--max-files", "1", "--max-credits", "5")
        for width in widths:
            best: dict[str, Spent] = {}
            polls: dict[str, float] = {}
            for _ in range(rounds):
                for name in ("bare", "batchbg"):
                    made.clear()
                    before = service.requests()
                    if name == "bare":
                        took = spent(lambda width=width: asyncio.run(bare(made, service, width)))  # type: ignore[misc]
                    else:
                        rate = ("--requests-per-second", "100000", "--max-in-flight", str(width))
                        took = batchbg(made, service, *rate)
                    if name not in best or took.wall_s < best[name].wall_s:
                        best[name] = took
                        polls[name] = (service.requests()["status"] - before["status"]) / number
            loop, ours = best["bare"], best["batchbg"]
            rows.append(
                [
                    width,
                    f"{number / loop.wall_s:.0f}",
                    f"{1000 * loop.cpu_s / number:.1f}",
                    f"{number / ours.wall_s:.0f}",
                    f"{1000 * ours.cpu_s / number:.1f}",
                    f"{polls['bare']:.2f} / {polls['batchbg']:.2f}",
                    f"{loop.wall_s / ours.wall_s:.2f}",
                    f"{loop.wall_s / (ours.wall_s - nothing.wall_s):.2f}",
                ]
            )
    title = [
        "width",
        "bare jobs/s",
        "bare ms CPU",
        "batchbg jobs/s",
        "batchbg ms CPU",
        "polls a job",
        "ratio",
        "ratio without start",
    ]
    return table(title, rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 200])
    arguments = parser.parse_args()
    print(ceiling(arguments.jobs, arguments.widths))
