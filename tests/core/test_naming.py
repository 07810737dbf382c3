import os
import random
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchbg.core.naming import (
    MAX_NAME_BYTES,
    SUFFIXES,
    fold,
    output_names,
    previous_name,
    promised_names,
    received_name,
)

stems = st.one_of(
    st.sampled_from(
        ["img", "IMG", "Img", "é", "e\u0301", "É", "ß", "SS", "\u017fs", "ﬁ", "fi", "a.b", "x~y", " ", "\udcff"]
    ),
    st.text("aAéE\u0301ß.~ \udc80", min_size=1, max_size=5),
    st.integers(230, 252).map(lambda length: "n" * length),
    st.integers(60, 125).map(lambda length: "é" * length),
)
names = (
    st.tuples(stems, st.sampled_from([".jpg", ".JPG", ".png", ".PNG", ".webp", "", ".tar.gz"]))
    .map("".join)
    .filter(lambda name: len(os.fsencode(name)) <= 255 and name not in (".", "..") and "/" not in name)
)


def one(*photos: str, kept: dict[str, str] | None = None, taken: tuple[str, ...] = (), folder: str = ""):
    return output_names(folder, photos, kept or {}, taken)


def meets_nothing(found: dict[str, str]) -> bool:
    folded = [fold(name) for name in found.values()]
    return len(folded) == len(set(folded))


@pytest.mark.parametrize(
    ("photo", "result"),
    [
        ("a.jpg", "a.png"),
        ("a.png", "a.png"),
        ("A B.JPEG", "A B.png"),
        ("shoe.v2.jpg", "shoe.v2.png"),
        ("noending", "noending.png"),
        ("trailing..jpg", "trailing..png"),
        ("e\u0301.jpg", "e\u0301.png"),
        ("\U0001f45f new\nline.webp", "\U0001f45f new\nline.png"),
        ("\udcff\udc80.jpg", "\udcff\udc80.png"),
        ("CON.jpg", "CON.png"),
    ],
)
def test_a_result_keeps_its_photos_stem_byte_for_byte(photo, result):
    """Composition, emoji, new lines and bytes that are no text stay as they are."""
    assert one(photo) == {photo: result}


@pytest.mark.parametrize(
    "photos",
    [
        ("IMG.jpg", "img.PNG"),
        ("a.jpg", "a.png", "A.JPG"),
        ("\u00e9.jpg", "e\u0301.jpg"),
        ("stra\u00dfe.jpg", "STRASSE.jpg"),
        ("\u212b.jpg", "\u00c5.png", "a\u030a.webp"),
    ],
)
def test_photos_that_would_meet_all_take_their_full_names(photos):
    """On some disks case and composition make no difference."""
    found = one(*photos)
    assert meets_nothing(found)
    full = {photo: f"{photo}.png" for photo in photos}
    if len({fold(name) for name in full.values()}) == len(photos):
        assert found == full


def test_twins_in_full_name_are_told_apart_by_their_paths():
    """NFC and NFD twins of one name meet even in full: one takes eight hex digits of its path's hash."""
    found = one("\u00e9.jpg", "e\u0301.jpg", folder="sub")
    assert meets_nothing(found)
    assert sorted(name.count("~") for name in found.values()) == [0, 1]


def test_a_later_photo_takes_its_full_name_and_the_older_keeps_its_own():
    """A result's name never changes once it is given."""
    first = one("img.jpg")
    assert one("img.jpg", "IMG.png", kept=first) == {"img.jpg": "img.png", "IMG.png": "IMG.png.png"}


def test_a_photo_that_comes_third_takes_the_hash():
    """Where the full name is taken too, eight hex digits of the path make the name."""
    kept = {"a.jpg": "a.png", "a.png": "a.png.png"}
    found = one("a.jpg", "a.png", "A.PNG", kept=kept)
    assert found["A.PNG"].startswith("A.PNG~")
    assert len(found["A.PNG"]) == len("A.PNG~12345678.png")
    assert meets_nothing(found)


def test_names_of_photos_now_gone_stay_taken():
    """A result of a photo that was deleted keeps its name; so does a sub folder."""
    assert one("A.jpg", taken=("a.png",)) == {"A.jpg": "A.jpg.png"}
    assert one("a.jpg", taken=("A.PNG", "a.JPG.png"))["a.jpg"].startswith("a.jpg~")
    assert one("b.jpg", kept={"gone.jpg": "B.png"}) == {"b.jpg": "b.jpg.png"}


def test_the_same_name_in_two_folders_gets_two_hashes():
    """The hash is of the path, so that moved-together folders stay apart."""
    kept = {"a.jpg": "a.png", "a.png": "a.png.png"}
    assert one("A.PNG", kept=kept, folder="x")["A.PNG"] != one("A.PNG", kept=kept, folder="y")["A.PNG"]


def test_a_name_past_255_bytes_is_cut_before_its_suffix():
    """Between characters, never through one, and still told apart."""
    long, twin = "\u00e9" * 125 + ".jpeg", "\u00e9" * 125 + ".webp"
    found = one(long, twin)
    assert meets_nothing(found)
    for photo, name in found.items():
        assert len(os.fsencode(name)) <= MAX_NAME_BYTES
        assert name.endswith(".png")
        assert name.partition("~")[0] in photo
    assert one("a" * 251 + ".jpg") == {"a" * 251 + ".jpg": "a" * 251 + ".png"}
    assert one("a" * 252) != {"a" * 252: "a" * 252 + ".png"}


def test_folding_ignores_case_and_composition():
    """Two names meet where some disk would take them for one."""
    assert fold("\u00c9A") == fold("e\u0301a")
    assert fold("a") != fold("b")
    assert fold(fold("ŉΐ")) == fold("ŉΐ")
    assert unicodedata.is_normalized("NFC", fold("e\u0301\u0323"))


photo_sets = st.lists(names, min_size=1, max_size=8, unique=True)


@given(photo_sets, st.sampled_from(["", "sub", "sub/é"]), st.randoms(use_true_random=False), st.data())
@example(["a.jpg", "a.png", "A.PNG", "a.jpg.png"], "", random.Random(0), None)
def test_names_are_unique_short_stable_and_deterministic(photos, folder, shuffler, data):
    """No two results meet, none is too long, order makes no difference, and what is named stays named."""
    found = output_names(folder, photos, {})
    assert found.keys() == set(photos)
    assert meets_nothing(found)
    assert all(len(os.fsencode(name)) <= MAX_NAME_BYTES for name in found.values())
    shuffled = list(photos)
    shuffler.shuffle(shuffled)
    assert output_names(folder, shuffled, {}) == found
    assert output_names(folder, photos, found) == found
    later = ["A.jpg", "zz.png"] if data is None else data.draw(photo_sets)
    grown = output_names(folder, [*photos, *(name for name in later if name not in photos)], found)
    assert meets_nothing(grown)
    assert {photo: grown[photo] for photo in photos} == found


@given(photo_sets, photo_sets)
def test_new_names_avoid_whatever_stands_there(photos, taken):
    """Sub folders and results of photos now gone are met by none."""
    found = output_names("", photos, {}, taken)
    assert meets_nothing(found)
    assert not {fold(name) for name in found.values()} & {fold(name) for name in taken}


@pytest.mark.parametrize("suffix", SUFFIXES.values())
def test_the_same_rules_hold_for_every_suffix(suffix):
    """Stem, full name, hash, cut; a name that was given keeps the suffix it was given with."""
    long = "n" * 250 + ".tif"
    found = output_names(
        "sub", ["a.jpg", "A.png", "b.jpg", "c.jpg", long], {"c.jpg": "c.png"}, ["b" + suffix], suffix=suffix
    )
    assert found["a.jpg"] == "a.jpg" + suffix
    assert found["A.png"] == "A.png" + suffix
    assert found["b.jpg"] == "b.jpg" + suffix
    assert found["c.jpg"] == "c.png"
    assert len(found[long]) == (255 if suffix != ".png" and len(suffix) > 4 else 254)
    assert found[long].endswith(suffix)
    later = output_names("", ["c.jpg", "c.tif"], {"c.jpg": "c.png"}, suffix=suffix)
    assert later == {"c.jpg": "c.png", "c.tif": "c.tif" + suffix}


def test_a_name_that_is_made_valid_keeps_its_suffix():
    """Cutting what is too long is not left to what makes it valid."""
    photo = "n" * 252 + ".x"
    found = output_names("", [photo], {}, make_valid=lambda name: name[:255])
    assert found[photo].endswith(".png")
    assert "~" in found[photo]


def test_names_of_a_saved_plan_stand_while_they_are_free():
    """In their own folder, with a suffix that results have, and not taken by anybody."""
    promised = {
        "a.jpg": "sub/a.webp",
        "b.jpg": "sub/B.png",
        "c.jpg": "other/c.png",
        "d.jpg": "sub/d.exe",
        "e.jpg": "../e.png",
        "f.jpg": "sub/A.webp",
        "g.jpg": "sub/" + "g" * 260 + ".png",
    }
    assert promised_names("sub", promised, ["b.png"]) == {"a.jpg": "a.webp"}
    assert promised_names("", {"a.jpg": "a.png"}, []) == {"a.jpg": "a.png"}


def test_what_is_kept_as_it_came_is_called_after_its_result():
    """Cut only where it must be."""
    assert received_name("a.webp", ".png") == "a.webp.png"
    cut = received_name("n" * 250 + ".webp", ".png")
    assert len(cut) == 255
    assert cut.endswith(".png")
    assert cut != received_name("n" * 249 + "x.webp", ".png")


def test_a_replaced_result_keeps_its_name_and_tells_its_content():
    """Any number of them have names of their own, however long the name is."""
    one, other = "ab" * 32, "cd" * 32
    assert previous_name("shoe.png", one) == "shoe~abababababab.png"
    assert previous_name("shoe.png", one) != previous_name("shoe.png", other)
    long = previous_name("\u00e9" * 125 + ".png", one)
    assert len(os.fsencode(long)) <= MAX_NAME_BYTES
    assert long.endswith("~abababababab.png")
    assert long != previous_name("\u00e9" * 124 + "e.png", one)
