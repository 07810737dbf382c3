"""The main job, end to end, as a person meets it."""

from pathlib import Path

import pytest
from PIL import Image

from tests.support.shop import Shop

SAMPLES = Path(__file__).parents[2] / "sample_inputs"


def test_every_photo_gets_a_result_under_its_own_name(shop: Shop):
    """The output mirrors the photo folder's tree."""
    shop.photo("a.jpg")
    shop.photo("mugs/red/b.png")
    result = shop.run("--json")
    assert result.code == 0, result.err
    assert shop.outputs() == ["a.png", "mugs/red/b.png"]
    assert result.json["jobs"]["done"] == 2
    assert result.json["credits"] | {"charged": 10, "spent": 10, "cap": None} == result.json["credits"]


def test_a_second_run_uploads_and_creates_nothing(shop: Shop):
    """Done means done."""
    shop.some_photos(3)
    shop.run()
    before = len(shop.sandbox.books.starts())
    result = shop.run("--json")
    assert result.code == 0
    assert len(shop.sandbox.books.starts()) == before
    assert result.json["photos"] == {"seen": 3, "rejected": 0, "reused": 0, "skipped": 3, "ignored": 0}
    assert sum(result.json["jobs"].values()) == 0


def test_invariant_2_the_same_content_is_paid_for_once_and_copied(shop: Shop):
    """Duplicates get a copy of one result."""
    shop.photo("a.png", colour=7)
    shop.photo("b.png", colour=7)
    shop.photo("sub/c.png", colour=7)
    result = shop.run("--json")
    assert result.code == 0
    assert len(shop.creates()) == 1
    assert shop.outputs() == ["a.png", "b.png", "sub/c.png"]
    assert result.json["photos"]["reused"] == 2
    assert {path.read_bytes() for path in shop.output.rglob("*.png")} == {(shop.output / "a.png").read_bytes()}


def test_invariant_4_a_cap_of_23_credits_stops_after_4_creates(shop: Shop):
    """Four times five is twenty; a run with more credits goes on from there."""
    shop.some_photos(8)
    result = shop.run("--json", "--max-credits", "23", "--max-in-flight", "8")
    assert result.code == 8, result.err
    assert len(shop.creates()) == 4
    assert result.json["jobs"]["done"] == 4
    assert result.json["jobs"]["planned"] == 4
    assert result.json["credits"] | {"spent": 20, "cap": 23, "remaining": 3} == result.json["credits"]
    assert shop.run("--max-credits", "100").code == 0
    assert len(shop.creates()) == 8
    shop.assert_adds_up()


def test_invariant_8_bad_photos_are_rejected_and_cost_nothing(shop: Shop):
    """Each is named with its reason; the others are done; known ones are no news the second time."""
    shop.photo("good.png")
    (shop.photos / "empty.jpg").touch()
    (shop.photos / "text.jpg").write_text("no picture")
    whole = shop.photo("cut.jpg", size=(300, 300), quality=95).read_bytes()
    (shop.photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    result = shop.run("--json")
    assert result.code == 3
    assert len(shop.creates()) == 1
    assert result.json["photos"] == {"seen": 4, "rejected": 3, "reused": 0, "skipped": 0, "ignored": 0}
    for name in ("empty.jpg", "text.jpg", "cut.jpg"):
        assert f"rejected {name}: " in result.err
    assert shop.run().code == 0
    assert shop.run("--strict").code == 3
    assert {job["photo"] for job in shop.jobs("--state", "rejected")} == {"empty.jpg", "text.jpg", "cut.jpg"}


def test_invariant_8_every_troublesome_sample_is_rejected_with_its_reason(shop: Shop):
    """Exit 3, each by name, nothing sent; and `plan` has said the same before."""
    shop.photos = SAMPLES / "troublesome"
    names = sorted(path.name for path in shop.photos.iterdir())
    planned = shop.do("plan")
    assert planned.code == 3
    result = shop.run("--json")
    assert result.code == 3
    assert not shop.sandbox.books.starts()
    assert result.json["photos"] == {"seen": 8, "rejected": 8, "reused": 0, "skipped": 0, "ignored": 0}
    for name in names:
        assert f"rejected {name}: " in result.err


@pytest.mark.slow
def test_the_sample_photos_are_all_done(shop: Shop):
    """Thirteen jobs and a copy; every result stands as its photo does."""
    shop.photos, shop.backgrounds = SAMPLES / "photos", SAMPLES / "backgrounds"
    result = shop.run("--json")
    assert result.code == 0, result.err
    assert result.json["jobs"]["done"] == 13
    assert result.json["photos"]["reused"] == 1
    with Image.open(shop.output / "home/vases/teal-vase.png") as upright:
        assert upright.size == (900, 1350)


@pytest.mark.slow
def test_a_photo_goes_on_the_background_of_similar_size(shop: Shop):
    """Best pairing, and the service is sent the bytes of the chosen background."""
    shop.photo("square.png", size=(64, 64))
    shop.photo("wide.png", size=(128, 64))
    shop.background("square.png", size=(64, 64))
    shop.background("wide.png", size=(128, 64))
    assert shop.run().code == 0
    assert {(job["photo"], job["background"]) for job in shop.jobs()} == {
        ("square.png", "square.png"),
        ("wide.png", "wide.png"),
    }
    assert {create.background_sha256 is None for create in shop.creates()} == {False}


def test_a_rotated_photo_goes_up_upright(shop: Shop):
    """EXIF orientation 6: the result stands as a person sees the photo."""
    picture = Image.new("RGB", (80, 40), "blue")
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(shop.photos / "turned.jpg", exif=exif)
    assert shop.run().code == 0
    with Image.open(shop.output / "turned.png") as result:
        assert result.size == (40, 80)


def test_invariant_11_a_ledger_of_the_sandbox_is_refused_for_the_real_api(shop: Shop):
    """And the other way round; nothing is sent."""
    shop.photo("a.png")
    assert shop.run().code == 0  # the sandbox says that it is one
    arguments = shop.arguments("run")
    arguments[arguments.index("--base-url") + 1] = "https://api.example.invalid"
    refused = shop.batchbg(*arguments)
    assert refused.code == 2
    assert "sandbox" in refused.err


def test_invariant_6_the_photo_folder_is_left_as_it_was(shop: Shop):
    """Also where the output lies inside it, whose files never become photos."""
    shop.some_photos(3)
    shop.output = shop.photos / "results"
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in shop.photos.rglob("*.png")}
    assert shop.run().code == 0
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in before} == before
    result = shop.run("--json")
    assert result.json["photos"]["seen"] == 3
    assert len(shop.creates()) == 3


@pytest.mark.slow
def test_a_large_batch_needs_a_word_where_nobody_can_be_asked(shop: Shop):
    """Exit 2 names the flag; --yes or a cap lets it go."""
    shop.some_photos(5)
    refused = shop.run("--confirm-batch-over", "4")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert not shop.creates()
    assert shop.run("--confirm-batch-over", "4", "--yes").code == 0


def test_plan_sends_nothing_and_writes_no_jobs(shop: Shop):
    """It needs no key either."""
    shop.some_photos(2)
    result = shop.do("plan", "-v")
    assert result.code == 0
    assert "2 new jobs, 10 credits" in result.out
    assert not shop.sandbox.books.starts()
    assert not (shop.folder / "batchbg.db").exists()


@pytest.mark.slow
def test_rejects_that_a_killed_run_found_are_news_to_the_next(shop: Shop):
    """Nobody has told a person of them yet."""
    (shop.photos / "bad.jpg").write_text("no picture")
    shop.some_photos(3)
    shop.faults.add("create", "hang", seconds=30)
    process = shop.spawn("run")
    shop.wait_for(lambda: len(shop.creates()) == 1)
    process.kill()
    process.communicate()
    shop.faults.clear()
    result = shop.run("--json")
    assert "1 photo rejected" in " ".join(result.json["reasons"])
