"""What happens to photos while they are worked on, and what a run tells of it."""

import hashlib
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from batchbg.pool import uploads
from batchbg.sandbox import SandboxConfig, SandboxServer
from tests.support.shop import Shop


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
def test_a_file_still_being_copied_between_look_and_upload_is_left_for_the_next_run(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
):
    """It grew after it was planned: nothing is sent or paid for it, the others go on, the next run takes what it is."""
    photo = shop.photo("a.bmp")
    shop.photo("b.png")
    prepare = uploads.Uploads._prepare

    async def prepare_late(self: uploads.Uploads, source: uploads.Source) -> Any:
        if source.path == photo:
            shop.photo("a.bmp", size=(64, 60))
        return await prepare(self, source)

    monkeypatch.setattr(uploads.Uploads, "_prepare", prepare_late)
    result = shop.run("--json")
    assert (len(shop.creates()), result.json["jobs"]["done"], shop.outputs()) == (1, 1, ["b.png"])
    assert "a.bmp: left out: a.bmp has changed since it was checked" in result.err
    monkeypatch.setattr(uploads.Uploads, "_prepare", prepare)
    assert shop.run().code == 0
    assert sha256(photo) in {create.image_sha256 for create in shop.creates()}
    assert len(shop.creates()) == 2


def test_what_was_sent_is_what_was_planned(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Bytes that change on their way, under the same size and time, are noticed by their hash."""
    photo = shop.photo("a.bmp")
    original = uploads._FileBody.chunks

    async def change_first(self: uploads._FileBody) -> AsyncIterator[bytes]:
        told = photo.stat()
        data = photo.read_bytes()
        photo.write_bytes(data[:-3] + bytes(255 - byte for byte in data[-3:]))
        os.utime(photo, ns=(told.st_atime_ns, told.st_mtime_ns))
        async for chunk in original(self):
            yield chunk

    monkeypatch.setattr(uploads._FileBody, "chunks", change_first)
    result = shop.run()
    assert "left out: a.bmp changed while it was sent" in result.err
    assert not shop.creates()


def test_names_come_from_stdin(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """Separated by NULs, as `find -print0` writes them."""
    shop.some_photos(2)
    shop.photo("sub/new\nline.png")
    names = SimpleNamespace(buffer=io.BytesIO(b"sub/new\nline.png\0./photo-001.png\0"), isatty=lambda: False)
    monkeypatch.setattr("sys.stdin", names)
    result = shop.do("plan", "-v", "--files-from", "-", "--null")
    assert "2 photos: 2 new jobs" in result.out
    assert "photo-000.png" not in result.out


@pytest.mark.slow
def test_a_deleted_result_is_offered_to_rescue_not_paid_again(shop: Shop):
    """The plan says so."""
    shop.some_photos(2)
    assert shop.run().code == 0
    (shop.output / "photo-000.png").unlink()
    planned = shop.do("plan")
    assert "0 new jobs, 0 credits" in planned.out
    assert "1 result is no longer on disk: `batchbg rescue --ledger" in planned.out
    assert shop.do("rescue").code == 0
    assert len(shop.outputs()) == 2
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_one_crop_of_a_background_serves_all_photos_of_a_size(shop: Shop):
    """In this run and in the next."""
    for index in range(3):
        shop.photo(f"{index}.png", size=(96, 32))
    shop.background("square.png", size=(64, 64))
    assert shop.run().code == 0
    assert shop.sandbox.books.requests("upload") == 3 + 1
    shop.photo("later.png", size=(96, 32))
    assert shop.run().code == 0
    assert shop.sandbox.books.requests("upload") == 4 + 1
    assert len({create.background_sha256 for create in shop.creates()}) == 1


@pytest.mark.slow
def test_the_plan_warns_where_the_balance_will_not_do(shop: Shop):
    """By the last reading, less what was reserved since."""
    shop.some_photos(1)
    shop.setting("BASE_URL", shop.base_url)
    shop.sandbox.books.set_balance(17)
    assert shop.run().code == 0
    shop.some_photos_more(3)
    assert "the account should have 12 credits left" in shop.do("plan").out
    assert "enough for 2 of 3 jobs" in shop.do("plan").out


@pytest.mark.slow
def test_a_small_result_is_done_with_a_remark_that_is_said_at_once(shop: Shop):
    """It is fetched once more, then kept; not paid again."""
    shop.photo("a.png", size=(200, 150))
    shop.faults.add("download", "resized", times=100)
    result = shop.run()
    assert result.code == 0
    assert "smaller than the photo's 200x150" in result.err
    (job,) = shop.jobs()
    assert (job["state"], len(shop.creates())) == ("done", 1)
    assert shop.run().code == 0
    assert len(shop.creates()) == 1


def test_a_smaller_result_is_remarked_in_its_job(shop: Shop):
    """For people and programs, a free account's or not."""
    shop.photo("a.png", size=(40, 30))
    shop.faults.add("download", "resized", times=100)
    assert shop.run().code == 0
    (job,) = shop.jobs()
    assert (job["state"], "smaller than the photo's 40x30" in job["remark"]) == ("done", True)


@pytest.mark.slow
def test_a_free_account_is_said_before_anything_is_paid(tmp_path: Path):
    """Where nobody is asked too; also by `account`."""
    with SandboxServer(SandboxConfig(background_cutout="fast", render_s=0.02, tier="free")) as sandbox:
        shop = Shop(tmp_path, sandbox)
        shop.photo("a.png")
        result = shop.run("--max-credits", "0")
        assert "a free account: results may carry a watermark, and be smaller than their photos" in result.err
        assert not shop.creates()
        assert "may carry a watermark" in shop.do("account").out


@pytest.mark.slow
def test_a_free_account_is_said_at_once(tmp_path: Path):
    """Its results may carry a watermark."""
    with SandboxServer(SandboxConfig(background_cutout="fast", render_s=0.02, tier="free")) as sandbox:
        shop = Shop(tmp_path, sandbox)
        shop.photo("a.png")
        result = shop.run()
    assert (result.code, "a free account: results may carry a watermark" in result.err) == (0, True)
