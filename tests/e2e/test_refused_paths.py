"""Invariants 5 and 8: one path that the disk refuses costs one photo, and nothing; a disk that refuses all stops creates.

The disks are stood in for by the system's own calls, which refuse what such a disk would.
"""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.shop import Shop
from tests.support.tiers import rest_slow

Patch = pytest.MonkeyPatch

ODD = "mug 12:30.png"


def refuse(
    patch: Patch, refuses: Callable[[str, str], bool], number: int, calls: str = "link replace mkdir open"
) -> None:
    """Let calls that name something new fail where ``refuses`` says so of the name and its folder.

    Args:
        patch: takes the calls back.
        refuses: is given the name and the folder's path.
        number: the error.
        calls: of ``os``.
    """
    for call in calls.split():
        patch.setattr(os, call, _refusing(getattr(os, call), call, refuses, number))


def _refusing(real: Any, call: str, refuses: Callable[[str, str], bool], number: int) -> Any:
    def refusing(*arguments: Any, **options: Any) -> Any:
        makes = call != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT)
        name = arguments[1] if call in ("link", "replace") else arguments[0]
        descriptor = options.get("dst_dir_fd", options.get("dir_fd"))
        if makes and descriptor is not None and refuses(name, str(Path(f"/proc/self/fd/{descriptor}").readlink())):
            raise OSError(number, os.strerror(number), name)
        return real(*arguments, **options)

    return refusing


def odd(name: str, _folder: str) -> bool:
    return ":" in name


@pytest.mark.slow
@pytest.mark.parametrize("number", rest_slow([errno.EINVAL, errno.EACCES, errno.ENAMETOOLONG, errno.EILSEQ]))
def test_a_name_the_disk_refuses_costs_one_photo_and_nothing(shop: Shop, monkeypatch: Patch, number: int):
    """It is rejected before it is paid for; the others are done, in this run and in later ones."""
    shop.photo("mug 12:30.jpg")
    shop.photo("12:30/mug.jpg")
    shop.photo("a.png")
    with monkeypatch.context() as patch:
        refuse(patch, odd, number)
        result = shop.run("--json")
        assert result.code == 3, result
        assert result.json["photos"] | {"seen": 3, "rejected": 2} == result.json["photos"]
        assert f"{ODD}: {os.strerror(number)}; " in result.err
        assert shop.outputs() == ["a.png"]
        planned = shop.do("plan", "--json")
        assert planned.json["photos"]["rejected"] == 2
        shop.photo("later.png")
        again = shop.run("--json")  # what is known and unchanged is no news
        assert (again.code, again.json["photos"]["rejected"]) == (0, 2), again
        assert shop.run("--strict").code == 3
        assert len(shop.creates()) == 2
        rejected = {line["photo"] for line in shop.jobs("--state", "rejected")}
        assert rejected == {"mug 12:30.jpg", "12:30/mug.jpg"}
    assert shop.run().code == 0  # on a disk that takes them
    assert shop.outputs() == ["12:30/mug.png", "a.png", "later.png", ODD]
    assert not shop.jobs("--state", "rejected")
    assert len(shop.creates()) == 4


@pytest.mark.slow
def test_portable_names_help_where_nothing_was_saved_yet(shop: Shop, monkeypatch: Patch):
    """The message says so, and the photo is done under its other name."""
    shop.photo("mug 12:30.jpg")
    shop.photo("12:30/mug.jpg")
    refuse(monkeypatch, odd, errno.EINVAL)
    assert "--portable-names" in shop.run().err
    for _ in range(2):
        assert shop.run("--portable-names").code == 0
    assert shop.outputs() == ["12_30/mug.png", "mug 12_30.png"]
    assert len(shop.creates()) == 2
    shop.assert_adds_up()


@pytest.mark.slow
def test_a_paid_result_whose_name_is_refused_stops_nobody(shop: Shop, monkeypatch: Patch):
    """Refused only when it is saved: that job fails, still charged; another name, or another disk, brings it for free."""
    shop.photo("mug 12:30.jpg")
    shop.photo("other 12:30.jpg")
    shop.photo("a.png")
    with monkeypatch.context() as patch:
        turn, refused = threading.Lock(), threading.Event()

        def refuse_what_is_paid() -> None:
            shop.wait_for(lambda: len(shop.creates()) == 3)
            with turn:
                if not refused.is_set():
                    refuse(patch, odd, errno.EINVAL, "link replace")
                    refused.set()

        for nth in (1, 2, 3):
            shop.meanwhile("download", refuse_what_is_paid, nth=nth)
        result = shop.run("--json")
        assert result.code == 3, result
        assert result.json["jobs"]["failed"] == 2
        assert "cannot be saved" in result.err
        for _ in range(2):  # not for good: later runs go on
            shop.some_photos_more(1)
            assert shop.run().code == 0
        paid = len(shop.creates())
        assert shop.do("retry").code == 3  # the name is as it was
        assert shop.run("--portable-names").code == 0
        assert {"mug 12_30.png", "other 12_30.png"} <= set(shop.outputs())
    assert len(shop.creates()) == paid == 5
    assert shop.status()["jobs"]["failed"] == 0
    shop.assert_adds_up()


@pytest.mark.slow
def test_rescue_brings_a_paid_result_when_the_disk_takes_its_name(shop: Shop, monkeypatch: Patch):
    shop.photo("mug 12:30.jpg")
    with monkeypatch.context() as patch:
        shop.meanwhile("create", lambda: refuse(patch, odd, errno.EINVAL, "link replace"))
        assert shop.run().code == 3
    assert shop.do("rescue").code == 0
    assert shop.outputs() == [ODD]
    assert len(shop.creates()) == 1


def test_one_read_only_folder_costs_its_own_photos(shop: Shop, monkeypatch: Patch):
    """Refused at whichever step; the photos beside it are done."""
    for path in ("shut/a.png", "shut/b.png", "open/c.png", "d.png"):
        shop.photo(path)
    (shop.output / "shut").mkdir(parents=True)
    with monkeypatch.context() as patch:
        refuse(patch, lambda _name, folder: folder.endswith("/shut"), errno.EACCES)
        result = shop.run("--json")
        assert result.code == 3, result
        assert result.json["photos"]["rejected"] == 2
        assert "writable" in result.err
        assert shop.outputs() == ["d.png", "open/c.png"]
    assert shop.run().code == 0
    assert len(shop.creates()) == 4


@pytest.mark.slow
def test_another_photo_of_the_same_content_takes_over(shop: Shop, monkeypatch: Patch):
    """The content is paid for once, under a name that can be saved."""
    shop.photo("mug 12:30.png", colour=7)
    shop.photo("z.png", colour=7)
    refuse(monkeypatch, odd, errno.EINVAL)
    assert shop.run().code == 3
    assert shop.outputs() == ["z.png"]
    assert len(shop.creates()) == 1


@pytest.mark.slow
def test_a_planned_job_whose_path_is_refused_since_is_left_out_by_resume(shop: Shop, monkeypatch: Patch):
    """Tried again just before it is paid for."""
    shop.photo("mug 12:30.jpg")
    shop.photo("a.png")
    assert shop.run("--max-files", "0").code == 8
    refuse(monkeypatch, odd, errno.EINVAL)
    result = shop.resume()
    assert result.code == 3, result
    assert "left out: cannot be saved" in result.err
    assert len(shop.creates()) == 1
    assert shop.resume().code == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", rest_slow([errno.EINVAL, errno.ENOTSUP, errno.ENOSYS]))
def test_a_disk_that_cannot_flush_folders_saves_all_the_same(shop: Shop, monkeypatch: Patch, number: int):
    """The results are whole and known: nothing is fetched or paid for twice."""
    shop.some_photos(3)
    fsync = os.fsync

    def refuse_folders(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir():
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    assert shop.run().code == 0
    assert shop.run().code == 0
    assert len(shop.creates()) == 3
    assert len(shop.outputs()) == 3


@pytest.mark.parametrize("number", rest_slow([errno.EXDEV, errno.EPERM, errno.EIO, errno.EINVAL]))
@pytest.mark.parametrize("command", ["run", "resume"])
def test_a_disk_on_which_nothing_can_be_renamed_is_found_before_paying(
    shop: Shop, monkeypatch: Patch, number: int, command: str
):
    """Writing alone is not enough of a trial."""
    shop.some_photos(2)
    if command == "resume":
        assert shop.run("--max-files", "0").code == 8
    refuse(monkeypatch, lambda name, _folder: not name.startswith(".batchbg-"), number, "link replace")
    result = shop.do(command) if command == "resume" else shop.run()
    assert result.code == 5, result
    assert os.strerror(number) in result.err + result.out
    assert not shop.creates()
    assert not shop.outputs()


@pytest.mark.slow
def test_a_kill_in_the_middle_of_trying_a_name_leaves_nothing_in_its_place(shop: Shop, monkeypatch: Patch):
    """The next run takes the empty file for what it is, and does the photo."""
    shop.photo("mug 12:30.jpg")
    unlink = os.unlink

    def killed(name: Any, **options: Any) -> None:
        if name == ODD:
            raise KeyboardInterrupt
        if not str(name).startswith(".batchbg-"):
            unlink(name, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", killed)
        shop.run()
    assert ODD in shop.outputs()
    assert shop.run().code == 0
    assert shop.outputs() == [ODD]
    assert len(shop.creates()) == 1
    shop.assert_adds_up()


@pytest.mark.slow
def test_two_ledgers_share_an_output_folder_and_neither_sweeps_the_others_files(shop: Shop):
    """What a dead run of this ledger left goes; what may be another's run at work stays."""
    shop.some_photos(1)
    assert shop.run().code == 0
    (job,) = shop.jobs()
    ours, theirs = (shop.output / f".batchbg-{name}.part" for name in (job["id"], "abcdefghijkm"))
    ours.write_bytes(b"half")
    theirs.write_bytes(b"half")
    assert shop.run().code == 0
    assert not ours.exists()
    assert theirs.exists()
