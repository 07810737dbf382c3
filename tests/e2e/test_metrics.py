"""--metrics-file: whole at any time, and what it says is what the ledger says."""

import threading
import time
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from batchbg.ledger.engine import held
from batchbg.report import metrics
from tests.library.support import batch
from tests.support.shop import Shop


@pytest.fixture
def file(shop: Shop) -> Path:
    folder = shop.folder / "textfile"
    folder.mkdir()
    return folder / "batchbg.prom"


def read(file: Path) -> dict[str, Metric]:
    text = file.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    (only,) = [one.value for one in found[name].samples if labels.items() <= one.labels.items()]
    return float(only)


def test_it_says_what_the_ledger_says(shop: Shop, file: Path):
    shop.some_photos(3)
    (shop.photos / "broken.jpg").write_bytes(b"\xff\xd8 nothing")
    before = time.time()
    assert shop.run("--metrics-file", str(file), "--max-credits", "10").code == 8
    found = read(file)
    assert {sample.labels["ledger"] for family in found.values() for sample in family.samples} == {
        str(shop.folder / "batchbg.db")
    }
    assert value(found, "batchbg_jobs", state="done") == 2
    assert value(found, "batchbg_jobs", state="planned") == 1
    assert value(found, "batchbg_photos", outcome="rejected") == 1
    assert value(found, "batchbg_credits", bucket="charged") == 10
    assert value(found, "batchbg_credits_spent") == value(found, "batchbg_credits_spent_today") == 10
    assert value(found, "batchbg_cap_left_credits", cap="max_credits of this run") == 0
    assert value(found, "batchbg_last_run_exit_code") == 8
    assert before <= value(found, "batchbg_last_run_start_time_seconds") <= time.time()
    assert 0 < value(found, "batchbg_last_run_duration_seconds") < 100
    assert value(found, "batchbg_running") == 0
    assert "batchbg_last_success_time_seconds" not in found
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.slow
def test_a_run_that_could_not_begin_is_told_but_for_one_that_gave_way(shop: Shop, file: Path):
    shop.some_photos(60)
    assert shop.run("--metrics-file", str(file)).code == 2  # nobody to ask
    assert value(read(file), "batchbg_last_run_exit_code") == 2
    file.unlink()
    with held(shop.ledger, "run"):
        assert shop.run("--metrics-file", str(file), "--max-credits", "5").code == 11
    assert not file.exists()


@pytest.mark.slow
def test_from_python_too(shop: Shop, file: Path):
    shop.some_photos(1)
    assert batch(shop, yes=True, metrics_file=file).run().exit_code == 0
    found = read(file)
    assert value(found, "batchbg_last_run_exit_code") == 0
    assert value(found, "batchbg_last_success_time_seconds") == value(found, "batchbg_last_run_end_time_seconds")


@pytest.mark.slow
def test_it_is_written_while_a_run_goes_on_and_never_half(shop: Shop, file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(metrics, "EVERY_S", 0.01)
    shop.some_photos(12)
    seen: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            if file.exists():
                found = read(file)
                seen.append(value(found, "batchbg_running"))
            time.sleep(0.001)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        assert shop.run("--metrics-file", str(file), "--yes").code == 0
    finally:
        over.set()
        looking.join()
    assert 1.0 in seen
    assert value(read(file), "batchbg_running") == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("batchbg.txt", "does not end in .prom"),
        ("nowhere/batchbg.prom", "there is no folder"),
        ("photos/batchbg.prom", "to which nothing is written"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_paid(shop: Shop, name: str, words: str):
    shop.some_photos(1)
    result = shop.run("--metrics-file", str(shop.folder / name))
    assert result.code == 2
    assert words in result.err
    assert shop.requests() == 0


@pytest.mark.slow
def test_a_file_that_cannot_be_written_any_more_is_said_and_changes_nothing(shop: Shop, file: Path):
    shop.some_photos(1)
    shop.meanwhile("create", lambda: file.parent.rename(shop.folder / "away"))
    result = shop.run("--metrics-file", str(file))
    assert result.code == 0
    assert "metrics_file" in result.err
    assert shop.outputs() == ["photo-000.png"]


@pytest.mark.slow
def test_a_link_in_its_place_is_replaced_and_not_followed(shop: Shop, file: Path):
    shop.some_photos(1)
    other = shop.folder / "other"
    other.write_text("mine")
    file.symlink_to(other)
    assert shop.run("--metrics-file", str(file)).code == 0
    assert other.read_text() == "mine"
    assert not file.is_symlink()
