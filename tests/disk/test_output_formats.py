"""Results in the form that a person asked for."""

import io
from pathlib import Path

import pytest
from PIL import Image

from batchbg.core.model import Size
from batchbg.disk.folder import Folder
from batchbg.disk.output_formats import OutputFormat, kind_of, too_large
from batchbg.disk.results import check
from batchbg.errors import DiskError, ResultUnusable
from tests.support.pictures import encoded, noise, oriented, png_16_bit, quarters, wide_gamut_profile

GREEN = (10, 200, 30)


def cutout(size: tuple[int, int] = (40, 24)) -> Image.Image:
    """A red product, half seen through at its edge, on nothing."""
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    picture.paste((200, 20, 20, 255), (0, 0, size[0] // 2, size[1]))
    picture.paste((200, 20, 20, 128), (size[0] // 2, 0, size[0] // 2 + 4, size[1]))
    return picture


def at(picture: Image.Image, x: int, y: int) -> tuple[int, ...]:
    """Return what a pixel shows: red, green, blue, opacity."""
    found = picture.convert("RGBA").getpixel((x, y))
    assert isinstance(found, tuple)
    return found


def saved(part: Path, content: bytes, form: OutputFormat) -> Image.Image:
    """Check a download and return what is saved of it."""
    part.write_bytes(content)
    with Image.open(io.BytesIO(content)) as came:
        wanted = Size(*came.size)
    found = check(part, wanted, None, form)
    assert found.converted == (part.read_bytes() != content)
    assert found.size == part.stat().st_size
    with Image.open(part) as picture:
        picture.load()
    return picture


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / ".batchbg-job.part"


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("WEBP", "RGBA"), ("AVIF", "RGBA"), ("JPEG", "RGB")])
def test_a_cutout_in_every_format(part: Path, kind: str, mode: str):
    """Transparent where the format can, else on white."""
    picture = saved(part, encoded(cutout(), "PNG"), OutputFormat(kind))
    assert (picture.format, picture.mode, picture.size) == (kind, mode, (40, 24))
    corner = at(picture, 39, 0)
    if kind == "JPEG":
        assert min(corner) > 250
    else:
        assert corner[3] == 0
    red, green, blue, alpha = at(picture, 5, 5)
    assert alpha == 255
    assert abs(red - 200) < 12
    assert max(green, blue) < 40


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "JPEG"])
def test_the_colour_behind_is_really_in_the_pixels(part: Path, kind: str):
    """All of it where nothing was, half of it where half was seen through, and no transparency is left."""
    picture = saved(part, encoded(cutout(), "PNG"), OutputFormat(kind, 95, GREEN))
    assert not picture.has_transparency_data
    for x, expected in [(39, GREEN), (21, (105, 110, 25)), (5, (200, 20, 20))]:
        found = at(picture, x, 5)[:3]
        assert max(abs(one - other) for one, other in zip(found, expected, strict=True)) <= (1 if kind == "PNG" else 14)


def test_a_palette_and_greys_with_transparency_are_flattened_too(part: Path):
    """By what they show."""
    for picture in (cutout().quantize(16), cutout().convert("LA")):
        found = saved(part, encoded(picture, "PNG"), OutputFormat("PNG", flatten=GREEN))
        assert at(found, 39, 5) == (*GREEN, 255)


def test_what_needs_nothing_stays_byte_for_byte(part: Path):
    """A PNG without transparency whatever colour is asked for, and a file that comes in the format already."""
    for content, form in [
        (encoded(quarters(), "PNG"), OutputFormat("PNG", flatten=GREEN)),
        (encoded(quarters(), "JPEG", quality=40), OutputFormat("JPEG", 95)),
        (encoded(cutout(), "WEBP"), OutputFormat("WEBP", 10)),
        (encoded(cutout(), "PNG"), OutputFormat()),
    ]:
        part.write_bytes(content)
        found = check(part, Size(40, 24), None, form)
        assert (part.read_bytes(), found.converted, found.remark) == (content, False, "")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF"])
def test_less_quality_is_a_smaller_file(part: Path, kind: str):
    """And PNG has no quality to lose."""
    sizes = []
    for quality in (20, 60, 95):
        saved(part, encoded(noise(), "PNG"), OutputFormat(kind, quality))
        sizes.append(part.stat().st_size)
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "PNG"])
def test_the_colour_profile_goes_along(part: Path, kind: str):
    """The pixels mean what they meant."""
    profile = wide_gamut_profile()
    content = encoded(quarters(), "PNG" if kind != "PNG" else "JPEG", icc_profile=profile)
    assert saved(part, content, OutputFormat(kind)).info["icc_profile"] == profile


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "AVIF", "PNG"])
def test_odd_modes_are_saved_as_they_show(part: Path, kind: str):
    """CMYK, 16 bits, greys: paid for, so never refused. A turned picture is turned."""
    for content in [
        encoded(quarters().convert("CMYK"), "JPEG" if kind != "JPEG" else "TIFF"),
        png_16_bit(1),
        png_16_bit(4),
        encoded(quarters().convert("L"), "PNG"),
        encoded(quarters().convert("1"), "PNG"),
    ]:
        assert saved(part, content, OutputFormat(kind)).format == kind
    turned = saved(part, oriented(quarters(), 6, "WEBP" if kind != "WEBP" else "PNG"), OutputFormat(kind))
    assert turned.size == (24, 40)


def test_what_came_is_kept_beside_where_it_is_not_what_is_saved(part: Path, tmp_path: Path):
    """With the suffix of what it is; an older one is replaced."""
    kept = tmp_path / ".received" / "sub" / "a.webp"
    first, second = encoded(cutout(), "PNG"), encoded(cutout().transpose(Image.Transpose.FLIP_LEFT_RIGHT), "PNG")
    for content in (first, second):
        saved(part, content, OutputFormat("WEBP", received=kept))
        assert [path.name for path in kept.parent.iterdir()] == ["a.webp.png"]
        assert (kept.parent / "a.webp.png").read_bytes() == content
    saved(part, first, OutputFormat("PNG", received=kept.with_name("b.png")))
    long = kept.with_name("n" * 250 + ".webp")
    saved(part, encoded(quarters(), "JPEG"), OutputFormat("WEBP", received=long))
    (other,) = {path.name for path in kept.parent.iterdir()} - {"a.webp.png"}
    assert len(other) == 255
    assert other.endswith(".jpg")


def test_a_full_disk_while_converting_is_the_disks_fault(part: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever encoder meets it: the result is fetched again when there is room."""
    content = encoded(noise(), "PNG")
    for kind in ("JPEG", "WEBP", "AVIF"):
        part.write_bytes(content)
        with monkeypatch.context() as patched:
            patched.setattr(Folder, "create", lambda _folder, _name: Path("/dev/full").open("wb"))  # noqa: SIM115
            with pytest.raises(DiskError, match="No space"):
                check(part, Size(200, 150), None, OutputFormat(kind))
    part.write_bytes(content)
    with pytest.raises(DiskError):
        check(part, Size(200, 150), None, OutputFormat("WEBP", received=part / "below a file"))


def test_what_a_format_does_not_hold_is_said_with_its_size(part: Path):
    """The plan leaves such a photo out; should a result be so large all the same, its error tells."""
    assert too_large(Size(17_000, 20), Path("a.webp")) == (
        "17000x20 is more than WEBP holds, 16383 pixels a side; plan it with --format png"
    )
    assert too_large(Size(17_000, 20), Path("a.png")) == too_large(Size(16_383, 20), Path("a.webp")) == ""
    part.write_bytes(encoded(Image.new("RGB", (17_000, 2)), "PNG"))
    with pytest.raises(ResultUnusable, match="17000x2, cannot be saved as WEBP"):
        check(part, Size(17_000, 2), None, OutputFormat("WEBP"))


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.WEBP", "WEBP"), ("a.jpg.avif", "AVIF"), ("a.jpg.png", "PNG")],
)
def test_a_results_name_says_its_format(name: str, kind: str):
    assert kind_of(Path(name)) == kind
