import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchbg.core.webhook_event import Event, EventType
from batchbg.errors import ConfigError, DiskError, LedgerBusy
from batchbg.ledger import spool as spool_module
from batchbg.ledger.spool import Spool, SpoolWriter

NAMED = Event(EventType.COMPLETED, "p1", "batchbg a3e8zd28g3ae-1 caf\u00e9.jpg")
HINT = Event(EventType.COMPLETED, "p2")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "batchbg.db")


@pytest.fixture
def writer(spool: Spool) -> Iterator[SpoolWriter]:
    with spool.receiving() as writer:
        yield writer


def events(spool: Spool) -> list[Event]:
    return sorted((stored.event for stored in spool.fresh()), key=lambda event: event.project_id)


def age(spool: Spool, seconds: float) -> None:
    """Let all that is there have come so long ago."""
    for path in spool.path.iterdir():
        os.utime(path, (time.time() - seconds,) * 2)


def test_what_is_put_in_is_taken_out(spool: Spool, writer: SpoolWriter):
    """Until it is removed, and with the time at which it came."""
    before = time.time()
    writer.put([NAMED, HINT])
    assert events(spool) == [NAMED, HINT]
    assert all(before - 1 <= stored.at <= time.time() + 1 for stored in spool.fresh())
    (one, other) = spool.fresh()
    assert spool.fresh({one.name}) == [other]
    assert len(spool.fresh(limit=1)) == 1
    spool.remove([one.name, other.name, other.name])
    assert spool.fresh() == []


def test_no_folder_holds_no_events(spool: Spool):
    """And none is made by looking."""
    assert spool.fresh() == []
    assert not spool.has_receiver()
    assert not spool.path.exists()


def test_the_same_event_again_is_the_same_file(spool: Spool, writer: SpoolWriter):
    """However often it comes: a replay fills no disk."""
    for _ in range(5):
        writer.put([HINT, HINT])
    assert [stored.event for stored in spool.fresh()] == [HINT]


def test_events_are_on_disk_before_they_count(spool: Spool, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch):
    """Each file before it has its name, the folder after: a power cut leaves a whole event or none."""
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(number: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        fsync(number)

    def note_replace(*args, **options) -> None:
        done.append("name")
        replace(*args, **options)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    writer.put([NAMED, HINT])
    assert done == ["file", "name", "file", "name", "folder"]


def test_what_a_dead_receiver_left_unfinished_is_swept(spool: Spool):
    """Only that: the lock tells that nobody is at it."""
    with spool.receiving() as writer:
        writer.put([NAMED])
    (spool.path / ".0123456789ab.part").write_text("half")
    (spool.path / "notes.txt").write_text("a person's")
    with spool.receiving():
        assert events(spool) == [NAMED]
        assert {path.name for path in spool.path.iterdir() if path.suffix in (".part", ".txt")} == {"notes.txt"}


def test_an_event_that_cannot_be_written_leaves_nothing(
    spool: Spool, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
):
    """And is not acknowledged."""

    def refuse(_number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(DiskError, match="No space left"):
        writer.put([NAMED])
    assert [path.name for path in spool.path.iterdir()] == [".receiver"]


def test_one_process_receives(spool: Spool, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch):
    """Whether there is one can be seen, by no more than looking."""
    monkeypatch.setattr(spool_module, "RETRY_S", 0.0)
    assert spool.has_receiver()
    with (
        pytest.raises(LedgerBusy, match="another process receives events"),
        Spool(spool.path.parent / "batchbg.db").receiving(),
    ):
        pass
    assert spool.has_receiver()


def test_a_receiver_that_has_ended_is_seen_to_have_ended(spool: Spool):
    with spool.receiving():
        pass
    assert not spool.has_receiver()


def test_whoever_looks_for_a_receiver_keeps_none_from_starting(spool: Spool):
    """It waits for a moment."""
    with spool.receiving():
        pass
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            spool.has_receiver()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(20):
            with spool.receiving():
                pass
    finally:
        over.set()
        looking.join()


def test_a_trouble_of_the_receivers_own_is_not_the_folders(spool: Spool):
    with pytest.raises(BlockingIOError), spool.receiving():
        raise BlockingIOError("not of the lock")


def test_no_ledgers_folder_no_events(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no folder"), Spool(tmp_path / "missing" / "batchbg.db").receiving():
        pass
    assert list(tmp_path.iterdir()) == []


def test_there_is_an_end_to_what_is_kept(spool: Spool, monkeypatch: pytest.MonkeyPatch):
    """What can only wake who waits for it now is given up after a while; what names a job is not."""
    monkeypatch.setattr(spool_module, "MOST_EVENTS", 3)
    with spool.receiving() as writer:
        writer.put([NAMED, HINT, Event(EventType.ERRORED, "p3")])
        with pytest.raises(DiskError, match=r"holds 3 events; `batchbg resume` takes them"):
            writer.put([Event(EventType.COMPLETED, "p4")])
        age(spool, spool_module.HINT_S + 60)
        writer.put([Event(EventType.COMPLETED, "p4")])
        assert [event.project_id for event in events(spool)] == ["p1", "p4"]
        age(spool, spool_module.KEPT_S + 60)
        writer.put([Event(EventType.COMPLETED, project) for project in ("p5", "p6")])
        assert [event.project_id for event in events(spool)] == ["p5", "p6"]


def test_what_a_run_has_taken_makes_room(spool: Spool, monkeypatch: pytest.MonkeyPatch):
    """And what was there when the receiver started takes some."""
    monkeypatch.setattr(spool_module, "MOST_EVENTS", 2)
    with spool.receiving() as writer:
        writer.put([NAMED, HINT])
    with spool.receiving() as writer:
        with pytest.raises(DiskError):
            writer.put([Event(EventType.COMPLETED, "p3")])
        spool.remove([stored.name for stored in spool.fresh()])
        writer.put([Event(EventType.COMPLETED, "p3")])


def test_a_file_that_holds_no_event_is_removed(spool: Spool, writer: SpoolWriter):
    """Cut off, altered, or somebody's: the name is the digest of the content. Other names are left alone."""
    writer.put([NAMED])
    (stored,) = spool.fresh()
    line = (spool.path / stored.name).read_bytes()
    for number, content in enumerate((line[:-5], b"", b"\xff" * 100_000, line.replace(b"p1", b"p9"))):
        (spool.path / f"{number:032x}.json").write_bytes(content)
    (spool.path / stored.name).write_bytes(line.replace(b"p1", b"p9"))
    (spool.path / "0123.json").write_bytes(line)
    assert spool.fresh() == []
    assert sorted(path.name for path in spool.path.iterdir()) == [".receiver", "0123.json"]


def test_nothing_is_read_or_written_through_a_link(spool: Spool, writer: SpoolWriter, tmp_path: Path, caplog):
    """What is planted is told once, and keeps nothing else up; no fifo is waited for."""
    victim = tmp_path / "victim"
    victim.write_text("somebody's")
    (spool.path / f"{0:032x}.json").symlink_to(victim)
    os.mkfifo(spool.path / f"{1:032x}.json")
    (spool.path / f"{2:032x}.json").mkdir()
    writer.put([NAMED])
    (stored,) = spool.fresh()
    assert spool.fresh() == [stored]
    assert len(caplog.records) == 3
    (spool.path / stored.name).unlink()
    (spool.path / stored.name).symlink_to(victim)
    writer.put([NAMED])
    assert events(spool) == [NAMED]
    assert victim.read_text() == "somebody's"


def test_the_folder_itself_may_be_no_link(spool: Spool, tmp_path: Path):
    """Else a receiver would write where the link leads."""
    (tmp_path / "elsewhere").mkdir()
    spool.path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DiskError, match="is a link"), spool.receiving():
        pass
    with pytest.raises(DiskError, match="is a link"):
        spool.fresh()
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_longest_event_comes_back(spool: Spool, writer: SpoolWriter):
    longest = Event(EventType.COMPLETED, "\U0001f45f" * 1000, "batchbg a-1 " + "\U0001f45f" * 488)
    writer.put([longest])
    assert events(spool) == [longest]


def test_no_address_is_stored(spool: Spool, writer: SpoolWriter):
    writer.put([NAMED])
    (stored,) = spool.fresh()
    content = json.loads((spool.path / stored.name).read_text())
    assert content == {"type": "image.completed", "payload": {"id": "p1", "name": NAMED.name}}
