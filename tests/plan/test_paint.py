"""A colour or a gradient as background, from the flag to the result."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from batchbg.core.model import Size
from batchbg.core.paint import read_paint
from batchbg.disk.painting import painted
from batchbg.errors import ConfigError
from batchbg.plan.saved_plan import read_plan
from batchbg.settings import load
from tests.plan.support import Desk
from tests.support.shop import Shop

GRADIENT = "linear-gradient(to right, #f00, #00f)"


def jobs_of(shop: Shop) -> list[dict[str, object]]:
    return [json.loads(line) for line in shop.do("jobs", "--json").out.splitlines()]


def sent(shop: Shop) -> set[str | None]:
    """Return the contents (sha256) that the service was told to take as backgrounds."""
    return {create.background_sha256 for create in shop.creates()}


def content_of(text: str, *sizes: tuple[int, int]) -> set[str | None]:
    """Return the contents (sha256) of a paint at these sizes."""
    return {hashlib.sha256(painted(read_paint(text), Size(*size))[0]).hexdigest() for size in sizes}


# Money: what is the same, and what is not


def test_a_colour_goes_up_once_for_each_size_and_fits_exactly(shop: Shop):
    """Three photos of two sizes: three creates, two uploads of white at those sizes."""
    for name, size in (("a.png", (64, 48)), ("b.png", (64, 48)), ("c.png", (30, 60))):
        shop.photo(name, size)
    result = shop.run("-b", "white", "--json")
    assert (result.code, result.json["jobs"]["done"]) == (0, 3)
    assert sent(shop) == content_of("white", (64, 48), (30, 60))
    assert shop.requests("upload") == 5
    assert {row["background"] for row in jobs_of(shop)} == {"#ffffff"}


@pytest.mark.slow
def test_one_colour_written_otherwise_pays_for_nothing(shop: Shop):
    """Nor does another run of any kind."""
    shop.some_photos(2)
    assert shop.run("-b", "white").code == 0
    for text in ("#FFF", "rgb(255, 255, 255)", "#ffffff"):
        found = shop.run("-b", text, "--json").json["photos"]
        assert (found["skipped"], found["reused"]) == (2, 0)
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_another_colour_is_another_background_only_where_it_is_asked_for(shop: Shop):
    """What is done stays done; --force pays for it anew, once, and on the way back it is a copy of what was paid for."""
    shop.some_photos(1)
    assert shop.run("-b", "white").code == 0
    again = shop.run("-b", "black", "--json").json
    assert again["photos"]["skipped"] == 1
    told = shop.do("plan", "-b", "black").out
    assert "done with another background than today's choice" in told
    assert "other" not in shop.do("plan", "-b", "#fff").out
    assert shop.run("-b", "black", "--force", "--yes").code == 0
    assert len(shop.creates()) == 2
    other = shop.run("-b", "white", "-o", str(shop.folder / "other"), "--json").json
    assert (other["jobs"]["done"], other["photos"]["reused"], len(shop.creates())) == (0, 1, 2)


@pytest.mark.slow
def test_two_paths_of_one_picture_on_one_colour_are_paid_for_once(shop: Shop):
    """The other gets a copy, also from a run that was cut off."""
    shop.photo("a.png", colour=77)
    shop.photo("b/c.png", colour=77)
    assert shop.run("-b", GRADIENT, "--json").json["photos"]["reused"] == 1
    assert len(shop.creates()) == 1


@pytest.mark.slow
def test_what_was_planned_on_a_colour_is_done_by_resume(shop: Shop):
    """The ledger alone says what the colour is."""
    shop.some_photos(3)
    assert shop.run("-b", GRADIENT, "--max-files", "1").code == 8
    assert shop.resume().code == 0
    assert {row["background"] for row in jobs_of(shop)} == {"linear-gradient(to right, #ff0000, #0000ff)"}
    assert sent(shop) == content_of(GRADIENT, (64, 48))


@pytest.mark.slow
def test_the_result_shows_the_colour(shop: Shop):
    """Where the photo has nothing in front."""
    shop.sandbox.configure(background_cutout="cut")
    photo = Image.new("RGB", (120, 90), "white")
    photo.paste((180, 20, 20), (40, 25, 80, 65))
    photo.save(shop.photos / "a.png")
    assert shop.run("-b", "#12ab34").code == 0
    with Image.open(shop.output / "a.png") as result:
        assert result.convert("RGB").getpixel((2, 2)) == pytest.approx((0x12, 0xAB, 0x34), abs=3)


# What is said


def test_a_plan_names_the_colour_and_its_cost_and_a_saved_one_is_done_as_it_says(shop: Shop):
    """No folder has to be given for it."""
    shop.some_photos(2)
    saved = shop.folder / "plan.jsonl"
    told = shop.do("plan", "-b", "whitesmoke", "-v", "--save", str(saved))
    assert "2 on #f5f5f5 (whitesmoke)" in told.out
    assert "on #f5f5f5 (whitesmoke)  fits" in told.out
    assert "-b whitesmoke" in told.out
    (entry, _) = read_plan(saved).values()
    assert (entry.background, entry.background_sha256) == ("#f5f5f5", read_paint("#f5f5f5").sha256)
    assert shop.run("--plan", str(saved)).code == 0
    assert {row["background"] for row in jobs_of(shop)} == {"#f5f5f5"}


def test_the_report_shows_a_swatch(shop: Shop):
    """And says that nothing was cropped."""
    shop.some_photos(1)
    assert shop.run("-b", GRADIENT).code == 0
    assert shop.do("report", "-o", str(shop.folder / "r.html")).code == 0
    page = (shop.folder / "r.html").read_text(encoding="utf-8")
    key = read_paint(GRADIENT).sha256[:24]
    assert page.count(f'"{key}":"data:image/webp;base64,') == 1
    assert '"painted"' in page


def test_a_colour_that_is_a_folder_too_is_asked_about(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Neither of the two is guessed: the one would be paid for in place of the other."""
    monkeypatch.chdir(desk.folder)
    desk.photo("a.png")
    (desk.folder / "white").mkdir()
    Image.new("RGB", (8, 6), "red").save(desk.folder / "white" / "wall.png")
    with pytest.raises(ConfigError, match=r"write \./white for that, or #ffffff for the colour"):
        load({"backgrounds": "white"}, {})
    with pytest.raises(ConfigError, match="BATCHBG_BACKGROUNDS: 'white' is a colour, and there is a file"):
        load({}, {"BATCHBG_BACKGROUNDS": "white"})
    config = desk.folder / "config.toml"
    config.write_text('backgrounds = "white"\n')
    with pytest.raises(ConfigError, match=r"config.toml: backgrounds: 'white' is a colour"):
        load({}, {}, config)
    assert load({"backgrounds": "./white"}, {}, config).backgrounds == Path("white")
    config.unlink()
    assert dict(desk.plan(backgrounds="./white").backgrounds) == {"wall.png": 1}
    assert dict(desk.plan(backgrounds="#ffffff", output=desk.folder / "other").backgrounds) == {"#ffffff": 1}


def test_a_colour_in_a_file_of_settings_is_no_path(tmp_path: Path):
    """Wherever the file lies; and nothing that needs trust."""
    config = tmp_path / "config.toml"
    config.write_text(f'backgrounds = "{GRADIENT}"\n')
    assert load({}, {}, config).backgrounds == read_paint(GRADIENT)
    config.write_text('backgrounds = "walls"\n')
    assert load({}, {}, config).backgrounds == tmp_path / "walls"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("whit", "no folder or file whit, and 'whit' is no colour .* did you mean 'white'"),
        ("#ffffff80", "nothing is seen through a background; write #ffffff"),
        ("transparent", "leave --backgrounds out"),
        ("linear-gradient(to north, #fff, #000)", "'to north' is no direction"),
        ("walls/oak", "there is no folder or file .*walls/oak$"),
    ],
)
def test_what_is_neither_path_nor_colour_is_said_with_the_reason(desk: Desk, text: str, told: str):
    """Before anything is planned."""
    desk.photo("a.png")
    with pytest.raises(ConfigError, match=told):
        desk.plan(backgrounds=text)


# The background map


@pytest.mark.slow
def test_a_map_may_hold_colours_and_gradients_without_any_folder(shop: Shop):
    """What no line takes is transparent, as without a map."""
    for name in ("mug.png", "cup.png", "bowl.png", "fork.png"):
        shop.photo(name)
    rules = shop.folder / "map.csv"
    rules.write_text('photo,background\nmug*,white\ncup*,"linear-gradient(#fff, #ddd)"\nbowl*,transparent\n')
    assert shop.run("--background-map", str(rules), "--yes").code == 0
    found = {str(row["photo"]): row["background"] for row in jobs_of(shop)}
    assert found == {
        "mug.png": "#ffffff",
        "cup.png": "linear-gradient(to bottom, #ffffff, #dddddd)",
        "bowl.png": None,
        "fork.png": None,
    }
    assert shop.run("--background-map", str(rules), "--json").json["photos"]["skipped"] == 4


def test_a_map_goes_before_a_colour_and_beside_a_folder(desk: Desk):
    """A background of a colour's name is the background."""
    for name in ("a.png", "b.png", "c.png"):
        desk.photo(name)
    walls = desk.folder / "walls"
    walls.mkdir()
    for name in ("wood.png", "red"):
        Image.new("RGB", (8, 6), "red").save(walls / name, "PNG")
    rules = desk.folder / "map.csv"
    rules.write_text("a.png,red\nb.png,blue\n")
    other = desk.plan(backgrounds=walls, background_policy="wood.png", background_map=rules)
    assert dict(other.backgrounds) == {"red": 1, "#0000ff": 1, "wood.png": 1}
    rules.write_text("a.png,red\nb.png,lime\n")
    tally = desk.plan(backgrounds="#123456", background_map=rules, output=desk.folder / "other")
    assert dict(tally.backgrounds) == {"#ff0000": 1, "#00ff00": 1, "#123456": 1}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "*,oak.jpg",
            "line 2: 'oak.jpg' is no colour; where it is a file of the background folder, give --backgrounds",
        ),
        ("*,#ffffff00", "line 2: .*nothing is seen through a background"),
        ("*,linear-gradient(#fff, #ddd)", "line 2: .*not 3 cells; put the gradient in double quotes"),
    ],
)
def test_a_map_that_cannot_be_followed_is_said_with_its_line(desk: Desk, line: str, told: str):
    """With what to do."""
    desk.photo("a.png")
    rules = desk.folder / "map.csv"
    rules.write_text(f"photo,background\n{line}\n")
    with pytest.raises(ConfigError, match=told):
        desk.plan(background_map=rules)
