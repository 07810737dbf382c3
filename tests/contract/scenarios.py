"""What the cassettes hold: short stories with the service, told by batchbg itself.

Each takes where to tell it and returns what came of it, which has to be the same against the sandbox, against the
service, and from the cassette.
"""

import asyncio
import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from unittest import mock

from PIL import Image

from batchbg.api.client import MagicHour
from batchbg.api.limiter import RateLimiter
from batchbg.api.storage import chunks_of
from batchbg.api.wire import ProjectStatus
from batchbg.core.create_outcome import Created
from tests.support.shop import Result, Shop

SAMPLES: Final = Path(__file__).resolve().parents[2] / "sample_inputs"
PHOTO: Final = SAMPLES / "photos/kitchen/mugs/white-mug.jpg"
BACKGROUND: Final = SAMPLES / "backgrounds/marble-counter.jpg"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a story is told: which host, with which key, in which empty folder."""

    base_url: str
    key: str
    folder: Path


class Customer(Shop):
    """A shop whose service is anywhere."""

    def __init__(self, place: Place) -> None:
        service: Any = SimpleNamespace(url=place.base_url, faults=None)
        super().__init__(place.folder, service)
        self._key = place.key
        shutil.copy(PHOTO, self.photos)
        self.backgrounds.mkdir()
        shutil.copy(BACKGROUND, self.backgrounds)

    def environ(self) -> dict[str, str]:
        return super().environ() | {"MAGIC_HOUR_API_KEY": self._key}

    def pay_at_most_one(self) -> Result:
        """Run; the background goes up as it is, since what Pillow makes of it differs from version to version."""
        # A job's id is chance; a project is a job's by its name, which a cassette has to tell alike every time.
        with mock.patch("batchbg.plan.folder_plan.new_id", return_value="JOB"):
            return self.run("--json", "--max-credits", "5", "--on-mismatch", "accept")


def whole_job(place: Place) -> dict[str, Any]:
    """Upload a photo and a background, create, poll, download: 5 credits."""
    customer = Customer(place)
    run = customer.pay_at_most_one()
    with Image.open(customer.output / f"{PHOTO.stem}.png") as result, Image.open(PHOTO) as photo:
        same_size = result.size == photo.size
    (job,) = customer.jobs()
    return {
        "exit code": run.code,
        "spent": run.json["credits"]["spent"],
        "job": job["state"],
        "same size": same_size,
    }


def refused_key(place: Place) -> dict[str, Any]:
    """Run with a key that is none; nothing is charged."""
    customer = Customer(dataclasses.replace(place, key="mhk_live_" + "0" * 32))
    run = customer.pay_at_most_one()
    return {"exit code": run.code, "spent": run.json["credits"]["spent"], "says 401": "401" in run.out + run.err}


def too_few_credits(place: Place) -> dict[str, Any]:
    """Run on an account with less than an image costs; nothing is charged."""
    customer = Customer(place)
    run = customer.pay_at_most_one()
    (job,) = customer.jobs()
    return {"exit code": run.code, "spent": run.json["credits"]["spent"], "job": job["state"]}


def failed_render(place: Place) -> dict[str, Any]:
    """Send bytes that are no picture, which batchbg would reject, by its client alone; the charge is given back."""
    return asyncio.run(_failed_render(place))


async def _failed_render(place: Place) -> dict[str, Any]:
    content = b"this is no picture"
    async with MagicHour(place.base_url, place.key, RateLimiter(5)) as api:
        (target,) = await api.upload_targets(["png"])
        await api.storage.put(target, chunks_of(content), len(content))
        outcome = await api.create("batchbg cassette0000-1", target.file_path, None)
        assert isinstance(outcome, Created), outcome
        project = await api.project(outcome.project_id)
        while project.status is ProjectStatus.WAITING:
            project = await api.project(outcome.project_id)
    return {
        "charged": outcome.price.credits,
        "ended in": project.status_word,
        "left of the charge": project.price.credits,
        "downloads": len(project.downloads),
        "gives a reason": bool(project.error),
    }


STORIES: Final[dict[str, Callable[[Place], dict[str, Any]]]] = {
    "whole_job": whole_job,
    "refused_key": refused_key,
    "too_few_credits": too_few_credits,
    "failed_render": failed_render,
}

EXPECTED: Final[dict[str, dict[str, Any]]] = {
    "whole_job": {"exit code": 0, "spent": 5, "job": "done", "same size": True},
    "refused_key": {"exit code": 7, "spent": 0, "says 401": True},
    "too_few_credits": {"exit code": 7, "spent": 0, "job": "planned"},
    "failed_render": {
        "charged": 5,
        "ended in": "error",
        "left of the charge": 0,
        "downloads": 0,
        "gives a reason": True,
    },
}
