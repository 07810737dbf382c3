"""Everything that can go wrong with creates, events and processes at once; and nobody is needed in the end."""

import random
import socket
import time

import pytest

from batchbg.sandbox.records import Create
from tests.support.shop import Shop
from tests.webhook.support import PATH, SECRET

PHOTOS = 200
KILLS = 6
IN_FLIGHT = 8
MOST_RUNS = 40
"""Until all is done; each may be stopped by three answers in a row that were lost."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_up(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_lost_creates_find_themselves_in_a_storm(shop: Shop):
    """Every photo is paid for once, every lost create of which an event arrived is settled, the cap holds to the credit.

    Of 200 photos one create answer in five is lost, one event in ten dropped, one in five doubled, all of them late and
    out of order; receiver and runs are killed at random. A run that is killed between its intent and its request leaves
    a job unresolved of which there is no project, and so no event.
    """
    draw, port = random.Random(7), free_port()
    shop.some_photos(PHOTOS)
    shop.setting("MAGIC_HOUR_WEBHOOK_SECRET", SECRET.decode(), prefix="")
    shop.setting("TOTAL", str(5 * PHOTOS))
    shop.sandbox.configure(
        webhook_url=f"http://127.0.0.1:{port}{PATH}", webhook_secret=SECRET.decode(), credits=5 * PHOTOS, render_s=0.05
    )
    shop.faults.add("create", "hang_up", probability=0.2)
    shop.faults.add("webhook", "dropped", probability=0.1)
    shop.faults.add("webhook", "doubled", probability=0.2)
    shop.faults.add("webhook", "late", seconds=0.5)
    shop.faults.add("webhook", "nameless", probability=0.05)
    listen = ("--listen", f"127.0.0.1:{port}")
    receiver = shop.spawn("webhook", *listen)
    shop.wait_for(lambda: is_up(port))

    for _ in range(KILLS):
        kill_a_run(shop, draw)
        if draw.random() < 0.5:
            receiver.kill()
            receiver.communicate()
            receiver = shop.spawn("webhook", *listen)
    shop.wait_for(lambda: is_up(port))

    for _ in range(MOST_RUNS):
        shop.sandbox.advance(60.0)  # what was sent to a dead receiver is sent again
        code = shop.run("-y").code
        assert code in (0, 3, 5)
        if code in (0, 3) and shop.status()["jobs"]["planned"] == 0:
            break
    shop.sandbox.advance(3600.0)
    shop.wait_for(lambda: all_delivered(shop))
    shop.resume()

    receiver.kill()
    creates, status = shop.creates(), shop.status()
    assert len({create.image_sha256 for create in creates}) == len(creates)
    heard = {sent.project_id for sent in shop.sandbox.books.events() if sent.status == 200 and sent.named}
    projects = {job_of(create): create.project_id for create in creates}
    left = {job["id"] for job in shop.jobs("--state", "unresolved")}
    assert {job_id for job_id in left if projects.get(job_id) in heard} == set()
    never_made = left - projects.keys()
    assert len(creates) + len(never_made) == PHOTOS
    assert len(never_made) <= KILLS * IN_FLIGHT
    assert len(shop.outputs()) == status["jobs"]["done"] == PHOTOS - len(left)
    assert shop.sandbox.books.charged == 5 * len(creates)
    assert status["credits"] == status["credits"] | {"spent": 5 * PHOTOS, "unresolved": 5 * len(left), "remaining": 0}
    assert shop.do("audit", "--json").json["settled_by_webhook"]
    shop.assert_adds_up()


def kill_a_run(shop: Shop, draw: random.Random) -> None:
    """Kill a run once it has sent some creates, or let it end if it is quicker."""
    run, before = shop.spawn("run", "-y"), shop.requests("create")
    shop.wait_for(lambda: run.poll() is not None or shop.requests("create") >= before + 3)
    time.sleep(draw.uniform(0.0, 0.3))
    run.kill()
    run.communicate()


def job_of(create: Create) -> str:
    """Return the job whose create it was."""
    return create.name.split()[1].rpartition("-")[0]


def all_delivered(shop: Shop) -> bool:
    """Return whether every event that was tried was acknowledged in the end."""
    last = {(sent.type, sent.project_id): sent.status for sent in shop.sandbox.books.events()}
    return set(last.values()) == {200}
