"""Results in another format, from the plan to the file, whatever happens in between."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from batchbg.errors import LedgerError
from batchbg.pool import deliver
from tests.support.shop import Shop


def product(shop: Shop, name: str, tint: int = 0) -> Path:
    """A photo of which the sandbox makes a cut-out that can be told from its ground."""
    picture = Image.new("RGB", (120, 90), (250, 250, 250))
    ImageDraw.Draw(picture).ellipse((40, 25, 80, 65), fill=(200, 20, tint))
    path = shop.photos / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def kind(path: Path) -> str | None:
    with Image.open(path) as picture:
        picture.load()
    return picture.format


def corner(path: Path) -> tuple[int, ...]:
    """Return the colour and the opacity of the ground."""
    with Image.open(path) as picture:
        found = picture.convert("RGBA").getpixel((1, 1))
    assert isinstance(found, tuple)
    return found


def recorded(shop: Shop) -> set[tuple[str, str]]:
    """Return (path, digest) of what the ledger says is on disk."""
    from batchbg.ledger import outputs
    from batchbg.ledger.engine import open_ledger

    ledger = open_ledger(shop.ledger)
    with ledger.reading() as connection:
        found = {(slot.path, slot.saved_sha256 or "") for slot in outputs.holding(connection)}
    ledger.close()
    return found


def on_disk(shop: Shop) -> set[tuple[str, str]]:
    names = [name for name in shop.outputs() if not name.startswith(".received/")]
    return {(name, hashlib.sha256((shop.output / name).read_bytes()).hexdigest()) for name in names}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "suffix"), [("jpeg", ".jpg"), ("webp", ".webp"), ("avif", ".avif")])
def test_a_run_in_another_format(shop: Shop, name: str, suffix: str):
    """The plan shows the names, the run makes them, the ledger knows what is on disk, the next run does nothing."""
    product(shop, "a.png")
    product(shop, "sub/b.jpg", 90)
    saved = shop.folder / "plan.jsonl"
    planned = shop.do("plan", "-v", "--format", name, "--save", str(saved))
    assert f"-> a{suffix}  5 credits" in planned.out
    # What was approved is done, also without the option.
    assert shop.run("--plan", str(saved)).code == 0
    assert shop.outputs() == [f"a{suffix}", f"sub/b{suffix}"]
    assert [json.loads(line)["output"] for line in saved.read_text().splitlines()] == shop.outputs()
    assert {kind(shop.output / path) for path in shop.outputs()} == {name.upper()}
    assert recorded(shop) == on_disk(shop)
    again = shop.run("--json", "--format", name)
    assert (again.code, again.json["photos"]["skipped"], len(shop.creates())) == (0, 2, 2)


@pytest.mark.slow
def test_what_is_done_is_done_in_whatever_format(shop: Shop):
    """Another format makes no new work; a photo that is new takes it, one that has changed keeps its name."""
    product(shop, "a.png")
    assert shop.run().code == 0
    before = on_disk(shop)
    product(shop, "b.png", 90)
    result = shop.run("--json", "--format", "webp")
    assert (result.code, result.json["photos"]["skipped"], len(shop.creates())) == (0, 1, 2)
    assert before < on_disk(shop)
    assert shop.outputs() == ["a.png", "b.webp"]
    product(shop, "a.png", 150)
    assert shop.run("--format", "webp").code == 0
    assert (shop.outputs(), kind(shop.output / "a.png"), len(shop.creates())) == (["a.png", "b.webp"], "PNG", 3)


@pytest.mark.slow
def test_a_job_is_delivered_as_it_was_planned(shop: Shop):
    """Planned as WebP, resumed with the settings of another day."""
    product(shop, "a.png")
    product(shop, "b.png", 90)
    assert shop.run("--format", "webp", "--max-files", "1").code == 8
    assert shop.resume("--format", "jpeg", "--flatten", "#00ff00").code == 0
    assert shop.outputs() == ["a.webp", "b.webp"]
    assert {kind(shop.output / path) for path in shop.outputs()} == {"WEBP"}
    # One of them in the first run, the other on green.
    corners = sorted((corner(shop.output / path) for path in shop.outputs()), key=lambda found: found[3])
    assert corners[0][3] == 0
    assert corners[1][1] > 245
    assert (corners[1][0] < 10, corners[1][2] < 10, corners[1][3]) == (True, True, 255)


@pytest.mark.slow
def test_killed_between_the_name_and_its_record(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """The file on disk is known as ours, although today's settings would make another of it."""
    product(shop, "a.png")
    record = deliver._record

    def die(*_arguments: object) -> None:
        raise LedgerError("killed")

    monkeypatch.setattr(deliver, "_record", die)
    assert shop.run("--format", "jpeg", "--quality", "95").code == 5
    first = on_disk(shop)
    assert [path for path, _ in first] == ["a.jpg"]
    assert recorded(shop) == set()
    monkeypatch.setattr(deliver, "_record", record)
    assert shop.resume("--quality", "30", "--flatten", "black").code == 0
    assert recorded(shop) == on_disk(shop) != first
    assert len(shop.creates()) == 1
    shop.assert_adds_up()


@pytest.mark.slow
def test_a_file_of_somebody_elses_is_left_alone_in_every_format(shop: Shop):
    """Put there while the render was under way."""
    product(shop, "a.png")
    assert shop.run("--format", "webp").code == 0
    (shop.output / "a.webp").write_bytes(b"mine")
    rescued = shop.do("rescue")
    assert "a.webp: not the file that was saved; left unchanged" in rescued.err
    assert (shop.output / "a.webp").read_bytes() == b"mine"


@pytest.mark.slow
def test_rescue_brings_back_the_format_it_was(shop: Shop):
    """With whatever quality is asked for now; free."""
    product(shop, "a.png")
    product(shop, "b.png", 90)
    assert shop.run("--format", "jpeg").code == 0
    (shop.output / "a.jpg").unlink()
    assert shop.do("rescue", "--quality", "20", "--flatten", "black").code == 0
    assert kind(shop.output / "a.jpg") == "JPEG"
    assert recorded(shop) == on_disk(shop)
    assert len(shop.creates()) == 1 + 1
    assert max(corner(shop.output / "a.jpg")[:3]) < 20


@pytest.mark.slow
def test_duplicates_in_other_formats_are_converted_not_paid_again(shop: Shop):
    """From a PNG on disk, else from the service; and all of a folder's results can be had in another format so."""
    data = product(shop, "a.png").read_bytes()
    assert shop.run().code == 0
    (shop.photos / "b.png").write_bytes(data)
    result = shop.run("--json", "--format", "jpeg")
    assert (result.code, result.json["photos"]["reused"]) == (0, 1)
    assert kind(shop.output / "b.jpg") == "JPEG"
    # No PNG is left: what has lost something is not converted again.
    (shop.output / "a.png").unlink()
    (shop.photos / "c.png").write_bytes(data)
    assert shop.run("--format", "webp").code == 0
    with Image.open(shop.output / "c.webp") as picture:
        assert picture.mode == "RGBA"
    first, shop.output = shop.output, shop.folder / "other"
    assert shop.run("--json", "--format", "avif").json["photos"]["reused"] == 3
    assert {kind(shop.output / path) for path in shop.outputs()} == {"AVIF"}
    assert first != shop.output
    assert len(shop.creates()) == 1
    assert shop.do("ledger check").code == 0


@pytest.mark.slow
def test_what_came_is_kept_on_request(shop: Shop):
    """In a folder of its own below the results, where nothing is scanned and no photo's result can be."""
    product(shop, "sub/a.png")
    product(shop, "sub/a.jpg", 90)
    assert shop.run("--format", "webp", "--keep-received").code == 0
    kept = [".received/sub/a.jpg.webp.png", ".received/sub/a.png.webp.png"]
    assert shop.outputs() == [*kept, "sub/a.jpg.webp", "sub/a.png.webp"]
    for name in kept:
        with Image.open(shop.output / name) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGBA")
    product(shop, "plain.png", 150)
    assert shop.run("--keep-received").code == 0
    assert ".received/plain.png.png" not in shop.outputs()  # it is saved as it came
    assert shop.run("--json").json["photos"]["seen"] == 3


@pytest.mark.slow
def test_a_photo_larger_than_the_format_is_left_out_of_the_plan(shop: Shop):
    """Before it is paid for; as PNG it is done."""
    shop.photo("wide.png", size=(16_400, 4))
    result = shop.run("--json", "--format", "webp")
    assert (result.code, result.json["photos"]["skipped"], len(shop.creates())) == (0, 1, 0)
    assert "wide.png  -> wide.png  " not in shop.do("plan", "-v", "--format", "webp").out
    assert "16400x4 is more than WEBP holds" in shop.do("plan", "--format", "webp").out
    assert "wide.png" in shop.do("plan", "-v").out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--flatten", "mauvish"), "--flatten must be a colour"),
        (("--flatten", "#ffffff80"), "--flatten must be a colour"),
        (("--quality", "0"), "--quality must be a whole number from 1 to 100"),
        (("--quality", "101"), "--quality must be a whole number from 1 to 100"),
        (("--format", "gif"), "gif"),
    ],
)
def test_a_form_that_makes_no_sense_is_refused(shop: Shop, arguments: tuple[str, ...], told: str):
    """Exit 2, before anything is looked at."""
    shop.photo("a.png")
    result = shop.run(*arguments)
    assert result.code == 2
    assert told in result.err
