"""Photos named one by one, and a background that is one file."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from batchbg.cli.photos import folder_or_files
from batchbg.errors import ConfigError
from batchbg.settings import load
from tests.plan.support import Desk
from tests.support.shop import Shop


def named(shop: Shop, *files: Path | str, command: str = "run", extra: tuple[str, ...] = ()) -> list[str]:
    """Return a command about files in place of the shop's folder of photos."""
    arguments = shop.arguments(command, *extra)
    arguments.remove(str(shop.photos))
    return [*arguments, *map(str, files)]


def results(shop: Shop) -> set[str]:
    return {path.relative_to(shop.output).as_posix() for path in shop.output.rglob("*.png")}


# What is named


def test_two_files_are_done_and_nothing_else(shop: Shop):
    """The others of their folder are not even seen."""
    one, two = shop.photo("a.png"), shop.photo("b.png")
    shop.photo("c.png")
    result = shop.batchbg(*named(shop, one, two, extra=("--json",)))
    assert (result.code, result.json["photos"]["seen"], result.json["jobs"]["done"]) == (0, 2, 2)
    assert results(shop) == {"a.png", "b.png"}
    assert len(shop.creates()) == 2


def test_plan_and_run_agree_and_a_second_time_nothing_is_left(shop: Shop):
    """Dry run, plan, run and run again: the same photo, once."""
    one = shop.photo("mugs/a.png")
    told = [shop.batchbg(*named(shop, one, command="plan", extra=("--json",))).json["jobs"]["new"]]
    told += [shop.batchbg(*named(shop, one, extra=("--json", "-n"))).json["jobs"]["new"]]
    told += [shop.batchbg(*named(shop, one, extra=("--json",))).json["jobs"]["done"]]
    assert told == [1, 1, 1]
    again = shop.batchbg(*named(shop, one, extra=("--json",))).json
    assert (again["photos"]["skipped"], len(shop.creates())) == (1, 1)


def test_files_of_several_folders_keep_their_folders(shop: Shop):
    """Two files of one name meet nowhere."""
    shop.batchbg(*named(shop, shop.photo("mugs/a.png"), shop.photo("cups/a.png")))
    assert results(shop) == {"mugs/a.png", "cups/a.png"}


@pytest.mark.slow
def test_a_file_of_a_folder_that_was_done_keeps_its_place(shop: Shop):
    """So that --force replaces its result, and does not pay for a second one beside it."""
    one = shop.photo("mugs/a.png")
    shop.photo("b.png")
    assert shop.run().code == 0
    before = (shop.output / "mugs" / "a.png").stat().st_mtime_ns
    assert shop.batchbg(*named(shop, one, extra=("--json",))).json["photos"]["skipped"] == 1
    assert shop.batchbg(*named(shop, one, extra=("--force", "--yes"))).code == 0
    assert results(shop) == {"mugs/a.png", "b.png"}
    assert (shop.output / "mugs" / "a.png").stat().st_mtime_ns != before
    assert len(shop.creates()) == 3


@pytest.mark.slow
def test_a_folder_that_comes_after_one_of_its_files_pays_for_the_others_alone(shop: Shop):
    """The file has a result; in its own place the folder gets a copy."""
    one = shop.photo("mugs/a.png")
    shop.photo("mugs/b.png")
    shop.batchbg(*named(shop, one))
    assert results(shop) == {"a.png"}
    found = shop.run("--json").json
    assert (found["jobs"]["done"], found["photos"]["reused"], len(shop.creates())) == (1, 1, 2)
    assert results(shop) == {"a.png", "mugs/a.png", "mugs/b.png"}


def test_a_file_below_the_folder_of_the_settings_keeps_its_place_below_it(tmp_path: Path):
    """Whatever else is named, or not."""
    (tmp_path / "shop" / "mugs").mkdir(parents=True)
    config = tmp_path / "config.toml"
    config.write_text('photos = "shop"\n')
    inside = load({"files": [tmp_path / "shop" / "mugs" / "a.jpg"]}, {}, config)
    assert inside.photos == tmp_path / "shop"
    outside = load({"files": [tmp_path / "else" / "a.jpg"]}, {}, config)
    assert outside.photos == tmp_path / "else"
    whole = load({"photos": tmp_path / "other"}, {"BATCHBG_FILES": "a.jpg"}, config)
    assert (whole.photos, whole.files) == (tmp_path / "other", ())


def test_a_file_named_twice_counts_once(desk: Desk):
    """By whatever way it is named."""
    one = desk.photo("mugs/a.png")
    other_way = desk.photos / "mugs" / ".." / "mugs" / "a.png"
    link = desk.folder / "way"
    link.symlink_to(desk.photos, target_is_directory=True)
    tally = desk.plan(photos=None, files=[one, one, other_way, link / "mugs" / "a.png"])
    assert (tally.seen, tally.new) == (1, 1)


def test_one_that_is_missing_costs_the_others_nothing(desk: Desk):
    """It is told, with what may have been meant."""
    tally = desk.plan(photos=None, files=[desk.photo("a.png"), desk.photos / "B.png", desk.photo("b.png")])
    assert (tally.seen, tally.new, tally.skipped.total()) == (3, 2, 1)
    assert tally.unmatched == ["'B.png' is named, but not there; is 'b.png' meant?"]


def test_what_is_no_photo_is_told_by_its_reason(desk: Desk):
    """A link that leads out, and a pipe; neither is missing, and nothing waits for the pipe."""
    (desk.folder / "far.png").write_bytes(desk.photo("a.png").read_bytes())
    (desk.photos / "link.png").symlink_to(desk.folder / "far.png")
    os.mkfifo(desk.photos / "pipe.png")
    tally = desk.plan(photos=None, files=[desk.photos / name for name in ("a.png", "link.png", "pipe.png")])
    assert (tally.new, tally.ignored, tally.unmatched) == (1, 2, [])
    assert set(tally.ignored_by) == {"a link that leads to no photo in this folder", "no regular file"}


def test_a_hidden_file_or_one_of_another_name_is_taken_when_it_is_named(desk: Desk):
    """A person who types it means it; a folder that holds it does not."""
    tally = desk.plan(photos=None, files=[desk.photo(".hidden.png"), desk.photo("photo.dat")])
    assert (tally.seen, tally.new) == (2, 2)


def test_odd_names_are_found(desk: Desk):
    """Not even UTF-8, or with line breaks in them."""
    odd = Path(os.fsdecode(os.fsencode(desk.photos) + b"/caf\xe9\n.png"))
    odd.write_bytes(desk.photo("a.png").read_bytes())
    assert desk.plan(photos=None, files=[odd]).new == 1


def test_a_result_is_no_photo(desk: Desk):
    """A glob that takes in the output folder costs nothing more."""
    (desk.folder / "output").mkdir()
    result = desk.folder / "output" / "a.png"
    result.write_bytes(desk.photo("a.png").read_bytes())
    with pytest.raises(ConfigError, match="results need one of their own"):
        desk.plan(photos=None, files=[result])
    tally = desk.plan(photos=None, files=[desk.photos / "a.png", result])
    assert (tally.new, dict(tally.ignored_by)) == (1, {"results or backgrounds": 1})


def test_filters_hold_for_files_as_well(desk: Desk):
    """--exclude of config.toml is no less meant because of a name that is typed."""
    tally = desk.plan(photos=None, files=[desk.photo("a.png"), desk.photo("b-old.png")], exclude=("*-old.*",))
    assert (tally.new, dict(tally.ignored_by)) == (1, {"filtered out": 1})


def test_force_of_one_file_is_no_order_for_another(desk: Desk):
    """Each is begun once, and is told to be continued only where it is."""
    one, two = desk.photo("a.png"), desk.photo("b.png")
    assert desk.plan(photos=None, files=[one], force=True).new == 1
    assert desk.plan(photos=None, files=[two], force=True).new == 1


# What is refused


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["photos", "photos/a.png"], "photos is a folder and .*a.png is not; name one folder, or files"),
        (["photos/x", "photos/y"], "one folder, the one that holds them all: .*photos --include x/ --include y/"),
        (["photos", "photos/x"], "photos holds the others"),
        (["nowhere"], "there is no folder or file nowhere"),
        (["n.png", "m.png"], "there is no file n.png, nor any of the other 1"),
    ],
    ids=["mixed", "folders", "nested", "none", "no files"],
)
def test_what_cannot_be_meant_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch, given: list[str], told: str):
    """With what to type in its place."""
    monkeypatch.chdir(desk.folder)
    for path in ("a.png", "x/b.png", "y/c.png"):
        desk.photo(path)
    with pytest.raises(ConfigError, match=told):
        folder_or_files([Path(one) for one in given])


@pytest.mark.slow
def test_several_folders_can_be_done_as_the_error_says(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """The line that it gives to type works."""
    for path in ("x/a.png", "y/b.png", "z/c.png"):
        shop.photo(path)
    refused = shop.batchbg(*named(shop, shop.photos / "x", shop.photos / "y", command="plan"))
    assert refused.code == 2
    told = refused.err.strip().rpartition("holds them all: ")[2].split()
    assert shop.batchbg(*named(shop, *told, command="plan", extra=("--json",))).json["jobs"]["new"] == 2


def test_two_places_that_name_photos_are_one_too_many(desk: Desk):
    """Which of them counts nobody could guess."""
    with pytest.raises(ConfigError, match="files_from: photos are named one by one already"):
        desk.plan(photos=None, files=[desk.photo("a.png")], files_from="list.txt")


# A plan that was saved


@pytest.mark.slow
def test_a_saved_plan_of_files_is_done_by_the_command_that_it_names(shop: Shop):
    """``next`` repeats the files."""
    one, two = shop.photo("a.png"), shop.photo("b.png")
    saved = shop.folder / "plan.jsonl"
    told = shop.batchbg(*named(shop, one, two, command="plan", extra=("--save", str(saved))))
    assert f"{one} {two}" in told.out
    assert len(saved.read_text().splitlines()) == 2
    refused = shop.batchbg(*named(shop, one, shop.photo("c.png"), extra=("--plan", str(saved))))
    assert (refused.code, "says nothing of c.png" in refused.err) == (2, True)
    assert shop.batchbg(*named(shop, one, extra=("--plan", str(saved)))).code == 0
    assert results(shop) == {"a.png"}


# One background


def test_one_file_is_the_background_of_all(shop: Shop):
    """It is uploaded once, and the ledger names it as if its folder had been given."""
    shop.some_photos(2)
    wall = shop.background("wall.png")
    shop.background("other.png", (640, 480))
    assert shop.run("-b", str(wall)).code == 0
    rows = [json.loads(line) for line in shop.do("jobs", "--json").out.splitlines()]
    assert {row["background"] for row in rows} == {"wall.png"}
    assert {create.background_sha256 is not None for create in shop.creates()} == {True}
    assert len({create.background_sha256 for create in shop.creates()}) == 1


@pytest.mark.parametrize("photos", ["folder", "files"])
def test_a_background_among_the_photos_is_none_of_them(desk: Desk, photos: str):
    """`batchbg run *.png -b wall.png` names it as a photo, too."""
    one, wall = desk.photo("a.png"), desk.photo("wall.png")
    tally = desk.plan(None, backgrounds=wall, **({"photos": None, "files": [one, wall]} if photos == "files" else {}))
    assert (tally.new, dict(tally.backgrounds)) == (1, {"wall.png": 1})
    assert dict(tally.ignored_by) == {"results or backgrounds": 1}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda desk: desk.folder / "none.png", "there is no folder .*none.png"),
        (lambda desk: _written(desk.folder / "text.png", b"text"), "text.png is no picture that can be used"),
        (lambda desk: _written(desk.folder / "output" / "a.png", b""), "a.png lies inside the output folder"),
    ],
    ids=["none", "no picture", "a result"],
)
def test_a_background_that_cannot_be_used_is_said_first(desk: Desk, make: Callable[[Desk], Path], told: str):
    """Nothing is planned that would be paid for without it."""
    desk.photo("a.png")
    with pytest.raises(ConfigError, match=told):
        desk.plan(backgrounds=make(desk))


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path
