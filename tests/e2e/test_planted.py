"""Hostile folders: links that lead to somebody's files, fifos and devices in the place of files."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.shop import Shop
from tests.support.sockets import plant_socket
from tests.support.tiers import rest_slow

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def victim(shop: Shop) -> Path:
    """Somebody's file, outside of every folder of the shop's."""
    file = shop.folder / "elsewhere" / "victim.png"
    file.parent.mkdir()
    file.write_bytes(b"somebody's")
    return file


def assert_unharmed(victim: Path) -> None:
    assert victim.read_bytes() == b"somebody's"
    assert [path.name for path in victim.parent.iterdir()] == [victim.name]


# -- links ---------------------------------------------------------------------------------------------------------


def test_the_ballast_is_not_written_through_a_link(shop: Shop, victim: Path):
    (shop.folder / "batchbg.db.ballast").symlink_to(victim)
    shop.photo("a.png")
    shop.run()
    assert_unharmed(victim)


@pytest.mark.parametrize("ending", rest_slow(["", "-wal", "-shm", "-journal", ".lock"]))
def test_no_file_of_the_ledger_may_be_a_link_that_is_planted(shop: Shop, victim: Path, ending: str):
    """But for the ledger itself, which a person may keep elsewhere."""
    shop.photo("a.png")
    assert shop.run().code == 0
    own = shop.folder / f"batchbg.db{ending}"
    if not ending:
        own.rename(victim.with_name("kept.db"))
        own.symlink_to(victim.with_name("kept.db"))
        assert shop.run().code == 0
        return
    own.unlink(missing_ok=True)
    own.symlink_to(victim)
    for result in (shop.run(), shop.do("plan")):
        assert result.code == 2, result
        assert f"batchbg.db{ending} is a link" in result.err
    assert_unharmed(victim)


@pytest.mark.slow
def test_a_temporary_file_is_not_written_through_a_link(shop: Shop, victim: Path):
    """Its name is known from the ledger, before the result comes."""
    shop.photo("a.png")
    assert shop.run("--max-files", "0").code == 8
    (job,) = shop.jobs()
    shop.output.mkdir(exist_ok=True)
    part = shop.output / f".batchbg-{job['id']}.part"
    shop.meanwhile("create", lambda: part.symlink_to(victim))
    assert shop.run().code == 0
    assert not part.is_symlink()
    assert_unharmed(victim)
    assert shop.outputs() == ["a.png"]


@pytest.mark.slow
@pytest.mark.parametrize("form", rest_slow(["webp", "jpeg"]))
def test_a_converted_result_is_not_written_through_a_link(shop: Shop, victim: Path, form: str):
    """Nor is what is kept as it came."""
    shop.photo("a.png")
    (shop.output / ".received").mkdir(parents=True)
    (shop.output / ".received" / "sub").symlink_to(victim.parent)
    shop.photo("sub/b.png")
    result = shop.run("--format", form, "--keep-received")
    assert result.code == 3, result
    assert "is a link" in result.err
    assert_unharmed(victim)
    assert len(shop.outputs()) == 2  # the first photo's, and what came of it


@pytest.mark.slow
@pytest.mark.parametrize("when", rest_slow(["before", "during"]))
def test_a_subfolder_swapped_for_a_link_is_not_written_through(shop: Shop, victim: Path, when: str):
    """Found before it is paid for; and where it comes later, the paid result is kept for `rescue`."""
    shop.photo("sub/a.png")
    shop.photo("b.png")
    shop.output.mkdir()
    link = shop.output / "sub"
    if when == "before":
        link.symlink_to(victim.parent)
    else:
        shop.meanwhile("create", lambda: link.symlink_to(victim.parent))
    result = shop.run("--max-in-flight", "1")
    assert result.code == 3, result
    assert "is a link, through which nothing is written" in result.err
    assert_unharmed(victim)
    assert (shop.output / "b.png").exists()
    if when == "before":
        assert len(shop.creates()) == 1
    link.unlink()
    assert shop.run().code == 0
    assert shop.do("rescue").code == 0
    assert shop.outputs() == ["b.png", "sub/a.png"]
    assert len(shop.creates()) == 2


@pytest.mark.slow
def test_an_output_folder_that_is_a_link_itself_is_what_a_person_named(shop: Shop):
    (shop.folder / "disk").mkdir()
    shop.output.symlink_to(shop.folder / "disk")
    shop.photo("sub/a.png")
    assert shop.run().code == 0
    assert (shop.folder / "disk" / "sub" / "a.png").exists()


@pytest.mark.slow
def test_reports_exports_and_plans_are_not_written_through_links(shop: Shop, victim: Path):
    shop.photo("a.png")
    assert shop.run().code == 0
    for name in ("report.html", "report.csv", "export.csv", "plan.jsonl"):
        (shop.output / name).unlink(missing_ok=True)
        (shop.output / name).symlink_to(victim)
    shop.do("report", "-o", str(shop.output / "report.html"))
    shop.do("ledger export", "-o", str(shop.output / "export.csv"))
    shop.do("plan", "--save", str(shop.output / "plan.jsonl"))
    assert_unharmed(victim)
    assert '"id"' in (shop.output / "export.csv").read_text()


# -- what hangs ----------------------------------------------------------------------------------------------------


def plant_fifo(path: Path) -> None:
    os.mkfifo(path)


def plant_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


PLANTS = [plant_fifo, plant_device, plant_socket]


@pytest.mark.slow
@pytest.mark.parametrize("plant", rest_slow(PLANTS))
def test_odd_things_in_the_place_of_results_hang_nothing(shop: Shop, plant: Callable[[Path], None]):
    """Neither a run, nor what looks at results; a person is told, and the rest is done."""
    shop.some_photos(2)
    assert shop.run().code == 0
    result = shop.output / "photo-000.png"
    result.unlink()
    plant(result)
    shop.photo("new.png")
    assert shop.run().code == 0
    rescued = shop.do("rescue")
    assert rescued.code == 0
    assert "photo-000.png: not the file that was saved" in rescued.err
    assert shop.do("report").code == 0
    assert shop.run("--force").code == 0  # a person's word; a link, a fifo are files' names like others
    assert len(shop.creates()) == 6


@pytest.mark.slow
@pytest.mark.parametrize("plant", rest_slow(PLANTS))
def test_odd_things_in_the_place_of_photos_and_backgrounds_hang_nothing(shop: Shop, plant: Callable[[Path], None]):
    """Whether they lie there from the start or come after the scan."""
    for folder in (shop.photos, shop.backgrounds):
        folder.mkdir(exist_ok=True)
        plant(folder / "odd.png")
    shop.background("wall.png")
    shop.photo("a.png")
    assert shop.run().code == 0
    late = shop.photo("late.png")
    late_too = shop.photo("turned.jpg", exif=TURNED)
    shop.faults.add("account", "status", status=401)  # planned, and nothing sent
    assert shop.run().code == 7
    shop.faults.clear()
    for path in (late, late_too):
        path.unlink()
        plant(path)
    result = shop.resume()
    assert result.err.count("left out") == 2, result
    assert len(shop.creates()) == 1


TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


@pytest.mark.parametrize("plant", rest_slow(PLANTS))
@pytest.mark.parametrize("name", ["config", "background_map", "plan", "files_from", "api_key_file", "ledger", "lock"])
def test_odd_things_in_the_place_of_files_that_are_named_are_errors(
    shop: Shop, name: str, plant: Callable[[Path], None]
):
    """Exit 2 at once, and the file is named."""
    shop.photo("a.png")
    shop.background("wall.png")
    odd = shop.folder / "odd"
    extra: tuple[str, ...] = (f"--{name.replace('_', '-')}", str(odd))
    if name == "ledger":
        shop.ledger, extra = f"sqlite:///{odd}", ()
    elif name == "lock":
        odd, extra = shop.folder / "batchbg.db.lock", ()
    elif name == "api_key_file":
        shop.setting("MAGIC_HOUR_API_KEY", "", "")
        shop.setting("API_KEY_FILE", str(odd))
        extra = ()
    plant(odd)
    result = shop.run(*extra)
    assert result.code == 2, result
    leads = "/dev/zero" if name == "ledger" and plant is plant_device else odd.name  # a ledger may be a link
    assert leads in result.err
    assert re.search("is a (fifo|device|socket|link), not a file", result.err)
    assert not shop.creates()
