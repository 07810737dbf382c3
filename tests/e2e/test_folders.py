"""Invariant 6: photos are read-only, by whatever name their folder is met; results are never photos."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow


@contextlib.contextmanager
def mounted(folder: Path, again: Path) -> Iterator[Path]:
    """Mount a folder a second time, as two volumes of a container do."""
    again.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["mount", "--bind", folder, again], capture_output=True)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield again
    finally:
        subprocess.run(["umount", "-l", again], check=True)


def originals(shop: Shop) -> dict[str, bytes]:
    """Return what lies among the photos and backgrounds."""
    found = [path for root in (shop.photos, shop.backgrounds) for path in root.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in found}


@pytest.mark.slow
def test_the_photos_mounted_again_as_output_are_refused(shop: Shop):
    """Exit 2 and nothing paid; with --force no original is overwritten."""
    shop.photo("a.png")
    shop.photo("sub/b.png")
    before = originals(shop)
    for place, folder in (("again", shop.photos), ("above", shop.folder)):
        with mounted(folder, shop.folder.parent / f"{shop.folder.name}-{place}") as shop.output:
            for extra in ((), ("--force",), ("-n",)):
                result = shop.run(*extra)
                assert result.code == 2, result
                assert "photo" in result.err
    assert not shop.creates()
    assert originals(shop) == before


@pytest.mark.slow
def test_an_output_inside_the_photos_by_another_path_is_paid_for_once(shop: Shop):
    """Its results are no photos, by whatever path it is met, in this run and in every later one."""
    shop.photo("a.png")
    with mounted(shop.photos, shop.folder / "again") as again:
        shop.output = again / "results"
        for _ in range(3):
            assert shop.run().code == 0
        shop.output = shop.photos / "results"
        assert shop.run().code == 0
    assert len(shop.creates()) == 1


@pytest.mark.slow
def test_an_output_mounted_inside_the_photos_is_not_scanned(shop: Shop):
    """The mount is met by its own name; what it is, its identity tells."""
    shop.photo("a.png")
    shop.output.mkdir()
    with mounted(shop.output, shop.photos / "web"):
        for _ in range(2):
            assert shop.run().code == 0
        assert len(shop.creates()) == 1
        assert shop.run("--force").code == 0
        assert len(shop.creates()) == 2


@pytest.mark.slow
def test_photos_mounted_inside_themselves_are_scanned_once(shop: Shop):
    shop.photo("a.png")
    with mounted(shop.photos, shop.photos / "again"):
        assert shop.run("--json").json["photos"]["seen"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", rest_slow(["run", "resume"]))
def test_a_folder_of_photos_mounted_below_the_output_is_not_written_to(shop: Shop, command: str):
    """One photo costs one photo; with --force, and where the mount comes between plan and create."""
    shop.photo("a.png")
    shop.photo("sub/b.png")
    before = originals(shop)
    shop.output.mkdir()
    if command == "resume":
        assert shop.run("--max-files", "0").code == 8
    with mounted(shop.photos / "sub", shop.output / "sub"):
        result = shop.run("--force") if command == "run" else shop.resume()
        assert result.code == 3, result
        assert "to which nothing is written" in result.err
        assert originals(shop) == before
    assert len(shop.creates()) == 1
    assert (shop.output / "a.png").exists()
    assert shop.run().code == 0
    assert shop.outputs() == ["a.png", "sub/b.png"]


@pytest.mark.slow
def test_a_paid_result_is_not_written_among_photos_either(shop: Shop):
    """Mounted while it renders: the job fails, still charged, and `rescue` fetches it when the mount is gone."""
    shop.photo("sub/a.png")
    before = originals(shop)
    (shop.output / "sub").mkdir(parents=True)
    with contextlib.ExitStack() as mounts:
        shop.meanwhile("create", lambda: mounts.enter_context(mounted(shop.photos / "sub", shop.output / "sub")))
        assert shop.run().code == 3
        assert originals(shop) == before
        assert not list(shop.photos.rglob(".batchbg*"))
        assert [job["state"] for job in shop.jobs()] == ["failed"]
        assert shop.run().code == 0  # told once
    assert shop.do("rescue").code == 0
    assert shop.outputs() == ["sub/a.png"]
    assert len(shop.creates()) == 1


def test_an_original_that_lies_in_the_place_of_its_result_is_not_replaced(shop: Shop):
    """A share that is mounted twice may have two device numbers; then the content tells."""
    photo = shop.photo("a.png")
    shop.output.mkdir()
    shutil.copy(photo, shop.output / "a.png")
    before = photo.read_bytes()
    result = shop.run("--force")
    assert result.code == 3, result
    assert "the photo itself lies where its result belongs" in result.err
    assert (shop.output / "a.png").read_bytes() == before
    assert not shop.creates()


@pytest.mark.slow
def test_a_result_copied_among_the_photos_is_no_photo(shop: Shop):
    """Whatever it is called there; told in the plan, and never paid for."""
    shop.photo("a.png")
    assert shop.run().code == 0
    shutil.copy(shop.output / "a.png", shop.photos / "a-new.png")
    os.link(shop.output / "a.png", shop.photos / "linked.png")
    planned = shop.do("plan", "-v")
    assert "a result of this ledger, not a photo" in planned.out
    for _ in range(2):
        result = shop.run("--json")
        assert result.code == 0
        assert result.json["photos"]["skipped"] == 3
    assert shop.run("--force", "--json").json["jobs"]["done"] == 1  # the photo itself
    assert len(shop.creates()) == 2


# -- photos that are away ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", rest_slow(["nothing", "an empty subfolder", "junk"]))
def test_no_photos_where_some_were_known_is_an_error(shop: Shop, left: str):
    """The share is not mounted: exit 5, and nothing that is known of them is forgotten."""
    shop.photo("a.png")
    shop.photo("sub/b.png")
    assert shop.run().code == 0
    shop.photos.rename(shop.folder / "away")
    shop.photos.mkdir()
    if left == "an empty subfolder":
        (shop.photos / "sub").mkdir()
    elif left == "junk":
        (shop.photos / ".hidden").write_text("x")
    for _ in range(2):
        result = shop.run()
        assert result.code == 5, result
        assert "mounted" in result.err + result.out
    shutil.rmtree(shop.photos)
    (shop.folder / "away").rename(shop.photos)
    assert shop.run("--json").json["photos"]["skipped"] == 2
    assert len(shop.creates()) == 2


def left_rendering(shop: Shop) -> None:
    """Pay for one photo, whose render is complete only after the run."""
    shop.photo("a.png")
    shop.sandbox.configure(render_s=100_000)
    shop.setting("RENDER_PATIENCE", "1s")
    shop.run()
    shop.sandbox.advance(100_000)


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), pytest.param(("--yes",), marks=pytest.mark.slow)])
def test_what_is_paid_for_is_collected_while_the_photos_are_away(shop: Shop, flags: tuple[str, ...]):
    """And summed up."""
    left_rendering(shop)
    shop.photos.rename(shop.folder / "away")
    shop.photos.mkdir()
    result = shop.run("--json", *flags)
    assert result.code == 5, result
    assert result.json["exit_code"] == 5
    assert result.json["jobs"] | {"done": 1} == result.json["jobs"]
    assert shop.outputs() == ["a.png"]


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), pytest.param(("--yes",), marks=pytest.mark.slow)])
def test_what_is_paid_for_is_collected_where_nothing_new_can_be_saved(shop: Shop, flags: tuple[str, ...]):
    """Another output folder than the one before, and it cannot be made."""
    left_rendering(shop)
    (shop.folder / "file").write_text("mine")
    result = shop.run("--json", "-o", str(shop.folder / "file" / "output"), *flags)
    assert result.code == 5, result
    assert result.json["exit_code"] == 5
    assert shop.outputs() == ["a.png"]
    assert len(shop.creates()) == 1


@pytest.mark.slow
def test_a_photo_that_was_taken_away_is_no_error_where_others_are_left(shop: Shop):
    shop.some_photos(2)
    assert shop.run().code == 0
    (shop.photos / "photo-000.png").unlink()
    assert shop.run().code == 0


@pytest.mark.slow
def test_one_file_the_disk_tells_nothing_of_is_one_reject(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """An I/O error of one photo in a folder of many; the others are done, and it is taken when the disk is well."""
    shop.some_photos(3)
    scandir = os.scandir

    class Odd:
        def __init__(self, entry: "os.DirEntry[str]") -> None:
            self._entry = entry

        def __getattr__(self, name: str) -> object:
            if name == "stat" and self._entry.name == "photo-001.png":
                raise OSError(5, "Input/output error")
            return getattr(self._entry, name)

    @contextlib.contextmanager
    def all_odd(path: str) -> Iterator[Iterator[Odd]]:
        with scandir(path) as entries:
            yield (Odd(entry) for entry in entries)

    def odd_scandir(path: Any) -> Any:
        return all_odd(path) if str(path).rstrip("/") == str(shop.photos) else scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr("batchbg.disk.scan.os.scandir", odd_scandir)
        result = shop.run("--json")
        assert result.code == 3, result
        assert result.json["photos"] | {"seen": 3, "rejected": 1} == result.json["photos"]
        assert "photo-001.png: cannot be read: Input/output error" in result.err
        assert shop.run().code == 0  # known, and unchanged
        assert len(shop.creates()) == 2
    assert shop.run().code == 0
    assert len(shop.creates()) == 3


def test_missing_results_are_told_by_a_run(shop: Shop):
    """In one line that says what fetches them."""
    shop.some_photos(3)
    assert shop.run().code == 0
    for name in ("photo-000.png", "photo-001.png"):
        (shop.output / name).unlink()
    result = shop.run()
    assert result.code == 0
    assert "2 results are no longer on disk: `batchbg rescue " in result.err
    assert "mounted" not in result.err
    (shop.output / "photo-002.png").unlink()  # not one is there: perhaps nobody took them away
    assert "fetches what is missing, free; is the output folder's disk mounted?" in shop.run().err
    assert shop.do("rescue").code == 0
    assert "rescue" not in shop.run().err
    assert len(shop.creates()) == 3
