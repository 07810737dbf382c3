"""The report: what stands in the page and in the table, what cannot break out of them, and where they are written."""

import base64
import csv
import html.parser
import io
import json
import os
import re
from pathlib import Path
from typing import Any
from unittest import mock

import jinja2
import pytest
from click.testing import CliRunner
from PIL import Image

from batchbg.cli import group
from batchbg.core.budget import Caps
from batchbg.core.lifecycle import JobState
from batchbg.core.model import Size
from batchbg.core.review import ReviewVerdict
from batchbg.errors import ConfigError, DiskError
from batchbg.ledger import deletions, jobs, meta, purpose, reviews, runs, transitions
from batchbg.ledger.engine import open_ledger
from batchbg.report import gathering, page_thumbs
from batchbg.report import page as page_module
from batchbg.report.gathering import COLUMNS
from batchbg.report.page import write_report
from batchbg.report.rows import NOWHERE, ONLY_HERE
from tests.report.support import Shop, picture, plan

HOSTILE = "<img src=x onerror=alert(1)>.jpg"
HOSTILE_FOLDER = "x<!--<script>"


class Parsed(html.parser.HTMLParser):
    """A page as a browser would take it apart: elements, attributes, and the text outside scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.words: list[str] = []
        self._raw: str | None = None
        self.feed(source)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self._raw = tag
            if tag == "script":
                self.scripts.append((dict(attrs), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == self._raw:
            self._raw = None

    def handle_data(self, data: str) -> None:
        if self._raw == "script":
            attributes, text = self.scripts[-1]
            self.scripts[-1] = attributes, text + data
        elif self._raw is None:
            self.words.append(data)

    def data(self, name: str) -> list[Any]:
        """Return the parsed content of the JSON scripts of a class or id."""
        return [json.loads(text) for found, text in self.scripts if name in (found.get("class"), found.get("id"))]

    @property
    def rows(self) -> list[dict[str, Any]]:
        (meta,) = self.data("meta")
        return [dict(zip(meta["fields"], row, strict=True)) for chunk in self.data("rows") for row in chunk]

    @property
    def thumbs(self) -> dict[str, str]:
        return {key: uri for block in self.data("thumbs") for key, uri in block.items()}


def written(shop: Shop, **options: Any) -> Parsed:
    return Parsed(write_report(shop.url, **options).read_text(encoding="utf-8"))


def table(shop: Shop) -> list[dict[str, str]]:
    with (shop.output / "report.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


# -- what it shows -------------------------------------------------------------------------------------------------


def test_a_done_job_is_shown_before_and_after_with_its_pairing(shop: Shop):
    job = shop.make("a/mug.png", background="wall.png", distortion=12, blur=118, excess=3, remark="came as JPEG")
    shop.end()
    page = written(shop)
    (row,) = page.rows
    assert (row["state"], row["folder"], row["file"], row["id"]) == ("done", "a", "mug.png", job.id)
    assert (row["background"], row["treatment"]) == ("wall.png", "cropped to fit")
    assert row["fit"] == "cropped 1 %, enlarged 1.1 times"
    assert (row["distortion"], row["blur"], row["excess"]) == (12, 118, 3)
    assert (row["photo"], row["result"]) == ("../photos/a/mug.png", "./a/mug.png")
    assert {row["photoKey"], row["resultKey"], row["backgroundKey"]} == page.thumbs.keys()
    assert all(uri.startswith("data:image/webp;base64,") for uri in page.thumbs.values())
    assert row["remark"] == "came as JPEG"
    assert "The one photo is done" in page.text
    assert "What needs you" not in page.text


@pytest.mark.parametrize("state", JobState)
def test_every_state_is_shown_and_counted(shop: Shop, state: JobState):
    job = shop.make("a.png", state)
    shop.end(3)
    page = written(shop)
    (row,) = page.rows
    assert (row["id"], row["state"]) == (job.id, state.value)
    assert re.search(rf"\b{state.value} 1\b", page.text)
    assert table(shop)[0]["state"] == state.value
    assert bool(row["result"]) is (state is JobState.DONE)


def test_an_unresolved_job_comes_with_its_name_in_the_library_and_what_to_type(shop: Shop):
    job = shop.make("a.png", JobState.UNRESOLVED)
    page = written(shop)
    assert f"batchbg {job.id}-1" in page.text
    assert f"batchbg resolve {job.id} --project-id PROJECT_ID" in page.text
    assert f"batchbg resolve {job.id} --charged" in page.text
    assert f"batchbg resolve {job.id} --not-charged" in page.text
    assert "5 credits count as spent" in page.text


def test_failures_say_what_a_retry_costs(shop: Shop):
    back = shop.make("back.png", JobState.FAILED)
    kept = shop.make("kept.png", JobState.FAILED, refund=False)
    lost = shop.make("lost.png", JobState.UNRESOLVED)
    with shop.ledger.transaction(shop.run.id) as tx:
        transitions.resolve_charged(tx, lost)
    text = written(shop).text
    assert re.search(rf"Nothing is charged for it; a retry pays once.*?batchbg retry {back.id}", text)
    assert re.search(
        rf"still charged; a retry asks for it and downloads it again, free.*?batchbg retry {kept.id}", text
    )
    assert re.search(rf"only paying again makes it.*?batchbg retry --pay-again {lost.id}", text)


def test_problems_come_before_the_gallery(shop: Shop):
    shop.make("a.png", JobState.FAILED)
    source = write_report(shop.url).read_text(encoding="utf-8")
    order = [source.index(f'id="{name}"') for name in ("h-attention", "h-runs", "h-gallery")]
    assert order == sorted(order)


def test_long_lists_of_problems_are_cut_and_counted(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "LISTED", 2)
    for number in range(5):
        shop.make(f"{number}.png", JobState.FAILED)
        shop.photo(f"bad{number}.png", rejected="corrupt")
    page = written(shop)
    assert "5 jobs failed or canceled" in page.text
    assert page.text.count("it would not render") == 2
    assert "And 3 more: batchbg jobs --state failed" in page.text
    assert "And 3 more: batchbg jobs --state rejected" in page.text
    assert len(page.rows) == 5


def test_rejected_photos_have_their_reason_and_backgrounds_a_list_of_their_own(shop: Shop):
    shop.photo("bad.png", b"no", rejected="not a picture, whatever its name says")
    shop.photo("wall.png", b"no", rejected="empty: 0 bytes", background=True)
    text = written(shop).text
    assert "1 photo rejected" in text
    assert "bad.png not a picture, whatever its name says" in text
    assert "1 background that cannot be used" in text
    assert {row["state"] for row in table(shop)} == {"rejected"}


def test_a_copy_names_the_photo_whose_job_it_shares_and_costs_nothing(shop: Shop):
    job = shop.make("first.png")
    shop.copy("again/second.png", job)
    page = written(shop)
    first, second = page.rows
    assert (first["copyOf"], second["copyOf"]) == ("", "first.png")
    assert (second["id"], second["credits"], second["result"]) == (job.id, 0, "./again/second.png")
    assert "All 2 photos done" in page.text
    assert [(row["credits"], row["copy_of"]) for row in table(shop)] == [("5", ""), ("0", "first.png")]


def test_a_photo_done_twice_is_counted_once(shop: Shop):
    old = shop.make("a.png")
    with shop.ledger.transaction(shop.run.id) as tx:
        job_id = plan(
            tx,
            transitions.NewJob(
                old.photo_sha256, "", old.output_id, None, "", old.treatment, 24, 16, generation=2, replace=True
            ),
        )
        new = jobs.get(tx.connection, job_id)
    assert new is not None
    shop.bring(new, JobState.DONE)
    page = written(shop)
    assert "The one photo is done" in page.text
    notes = {row["id"]: row["resultNote"] for row in page.rows}
    assert notes == {old.id: "replaced by another job's result", new.id: ""}


def test_credits_and_runs_are_shown(shop: Shop):
    shop.make("a.png")
    shop.make("b.png", JobState.FAILED)
    shop.make("c.png", JobState.UNRESOLVED)
    shop.end(3)
    with shop.ledger.transaction() as tx:
        runs.begin(tx, "resume", "", 40)
    with shop.ledger.transaction() as tx:
        again = runs.begin(tx, "run", "", None)
    text = written(shop, caps=Caps(total=100), price_per_credit=0.01).text
    assert "spent 10 (0.10)" in text
    assert "charged 10 refunded 5 reserved 0 unresolved 5" in text
    assert "credits left" in text
    assert re.search(r"run 3: finished, with problems 0 s 10 \(0\.10\) 10 5 5 none 3 seen", text)
    assert "with the killed run it continues" in text
    assert again.cap_credits == 40


def test_a_rehearsal_says_so(shop: Shop):
    with shop.ledger.transaction() as tx:
        meta.keep(tx, meta.KIND, purpose.SANDBOX)
    assert "Rehearsal." in written(shop).text


def test_an_empty_ledger_makes_a_page(shop: Shop):
    page = written(shop)
    assert page.rows == []
    assert page.thumbs == {}
    assert "Nothing has been done yet" in page.text


# -- files that are not what they were -----------------------------------------------------------------------------


def test_a_result_that_is_gone_is_named_with_the_way_to_get_it_back(shop: Shop):
    job = shop.make("a.png")
    (shop.output / job.output_path).unlink()
    page = written(shop)
    (row,) = page.rows
    assert (row["result"], row["resultKey"], row["resultNote"]) == ("", "", "missing on disk")
    assert "1 result missing on disk" in page.text
    assert "batchbg rescue" in page.text


def test_a_result_that_was_deleted_at_the_service_is_called_the_only_one(shop: Shop):
    """And where it is gone here, too, nobody is told that it can be fetched."""
    kept, lost = shop.make("a.png", remark="came as JPEG"), shop.make("b.png")
    shop.copy("copy.png", kept)
    with shop.ledger.transaction(shop.run.id) as tx:
        deletions.want(tx, [kept.id, lost.id])
        for job in (kept, lost):
            deletions.record(tx, job)
    assert {row["file"]: row["remark"] for row in written(shop).rows} == {
        "a.png": f"came as JPEG; {ONLY_HERE}",
        "copy.png": f"came as JPEG; {ONLY_HERE}",
        "b.png": ONLY_HERE,
    }
    (shop.output / lost.output_path).unlink()
    page = written(shop)
    assert {row["file"]: row["remark"] for row in page.rows}["b.png"] == NOWHERE
    assert "1 was deleted at the service, too" in page.text
    assert "batchbg rescue" not in page.text
    shop.make("c.png")
    (shop.output / "c.png").unlink()
    both = written(shop).text
    assert "2 results missing on disk" in both
    assert re.search(r"batchbg rescue.*downloads 1 again, free", both, re.DOTALL)


def test_a_photo_that_is_gone_or_changed_has_a_placeholder(shop: Shop):
    gone, changed = shop.make("gone.png"), shop.make("changed.png")
    (shop.photos / gone.photo_path).unlink()
    shop.photo("changed.png", picture("black"))
    notes = {row["id"]: (row["photo"], row["photoNote"]) for row in written(shop).rows}
    assert notes == {gone.id: ("", "missing on disk"), changed.id: ("", "the photo has changed since")}


def test_a_file_that_is_no_picture_any_more_costs_only_its_thumbnail(shop: Shop):
    job = shop.make("a.png")
    result = shop.output / job.output_path
    result.write_bytes(b"x" * result.stat().st_size)
    page = written(shop)
    (row,) = page.rows
    assert row["photoKey"] in page.thumbs
    assert row["resultKey"] not in page.thumbs


def test_only_the_last_rows_have_thumbnails_in_the_page(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gathering, "EMBEDDED", 1)
    monkeypatch.setattr(gathering, "PREVIEWED", 1)
    old = shop.make("old.png")
    new = shop.make("new.png", content=picture("yellow"))
    page = written(shop)
    with_thumb = {row["id"] for row in page.rows if row["photoKey"] in page.thumbs}
    assert with_thumb == {new.id}
    assert old.id in {row["id"] for row in page.rows if row["photo"]}
    assert "older ones are shown from their files" in page.text


def test_older_rows_have_small_thumbnails_in_the_page(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """It is handed over as one file, whatever becomes of the photos; a small one is not taken for a large one."""
    monkeypatch.setattr(gathering, "EMBEDDED", 1)
    old = shop.make("old.png", content=picture("red", Size(800, 600)))
    new = shop.make("new.png", content=picture("yellow", Size(800, 600)))
    page = written(shop)
    side = {row["id"]: thumbnail_side(page.thumbs[row["photoKey"]]) for row in page.rows}
    assert side == {old.id: 240, new.id: 400}
    assert "older ones" not in page.text
    monkeypatch.setattr(page_thumbs, "_one", lambda *_: pytest.fail("a file is opened again"))
    assert written(shop).thumbs == page.thumbs
    monkeypatch.undo()
    page = written(shop)
    assert {thumbnail_side(page.thumbs[row["photoKey"]]) for row in page.rows} == {400}


def test_what_there_is_no_time_for_is_made_by_the_next_report(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """A first report over a large ledger does not keep a run from its end; what is left is said."""
    monkeypatch.setattr(gathering, "EMBEDDED", 1)
    monkeypatch.setattr(page_module, "PATIENCE_S", 0.0)
    old = shop.make("old.png")
    shop.make("new.png", content=picture("yellow"))
    page = written(shop)
    (row,) = [row for row in page.rows if row["id"] == old.id]
    assert (row["photoKey"] in page.thumbs, "still to be made" in page.text) == (False, True)
    monkeypatch.setattr(page_module, "PATIENCE_S", 60.0)
    page = written(shop)
    assert (row["photoKey"] in page.thumbs, "still to be made" in page.text) == (True, False)


def thumbnail_side(uri: str) -> int:
    """Return the longer side of a thumbnail."""
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as shown:
        width, height = shown.size
        return max(width, height)


def test_thumbnails_are_made_once(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.make("a.png")
    first = written(shop)
    monkeypatch.setattr(page_thumbs, "_one", lambda _form, path: pytest.fail(f"{path} is opened again"))
    assert written(shop).thumbs == first.thumbs


def test_the_template_is_compiled_once(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    """For all reports of a process: it takes longer than writing a small page."""
    page_module._template.cache_clear()
    compiling = mock.Mock(wraps=jinja2.Environment.compile)
    monkeypatch.setattr(jinja2.Environment, "compile", lambda *args: compiling(*args))
    write_report(shop.url)
    write_report(shop.url)
    assert compiling.call_count == 1


@pytest.mark.slow
def test_an_earlier_page_cannot_slip_anything_in(shop: Shop):
    job = shop.make("a.png")
    key = page_thumbs.key_of(job.photo_sha256)
    for uri in ("https://example.com/", "data:image/svg+xml;base64,AAAA", 'data:image/webp;base64,AA"><script>'):
        (shop.output / "report.html").write_text("".join(page_thumbs.block({key: uri})), encoding="utf-8")
        assert written(shop).thumbs[key].startswith("data:image/webp;base64,UklG")


# -- nothing breaks out --------------------------------------------------------------------------------------------


def test_names_stay_text_wherever_they_stand(shop: Shop):
    shop.make(f"{HOSTILE_FOLDER}/{HOSTILE}", JobState.FAILED, error="</p><script>alert(2)</script>", background=HOSTILE)
    shop.make(f"u/\u2028\u2029 ' \" & {HOSTILE}", JobState.UNRESOLVED)
    shop.make(f"done/{HOSTILE}", remark="</script><script>alert(3)</script>")
    shop.photo(f"rejected/{HOSTILE}", b"no", rejected="</li><script>alert(4)</script>")
    page = written(shop)
    assert [found.get("class") or found.get("id") for found, _ in page.scripts] == [
        "meta",
        "rows",
        "thumbs",
        "thumbs",
        None,
    ]
    assert not any(tag == "img" for tag, _ in page.elements)
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    assert f"{HOSTILE_FOLDER}/{HOSTILE}" in page.text
    assert "</li><script>alert(4)</script>" in page.text
    assert {row["file"] for row in page.rows} == {HOSTILE, f"\u2028\u2029 ' \" & {HOSTILE}"}
    for attributes, text in page.scripts:
        if "type" in attributes:
            assert text.isascii()
            assert not set(text.partition("data:")[0]) & set("<>&'")


def test_names_that_are_no_text_do_not_stop_it(shop: Shop):
    name = os.fsdecode(b"caf\xe9.png")
    shop.make(name, JobState.FAILED)
    shop.make("ok/" + name)
    shop.photo("bad-" + name, b"no", rejected="corrupt")
    page = written(shop)
    assert {row["file"] for row in page.rows} == {name}
    assert "../photos/ok/caf%E9.png" in {row["photo"] for row in page.rows}
    assert "caf\ufffd.png" in page.text
    assert "caf\ufffd.png" in {row["photo"] for row in table(shop)}


def test_the_page_needs_nothing_but_itself(shop: Shop):
    shop.make("a b#?%.png", background="wall.png")
    shop.make("f.png", JobState.FAILED)
    page = written(shop)
    for tag, attributes in page.elements:
        assert "srcset" not in attributes
        assert not attributes.get("src")
        if tag in ("a", "link"):
            assert attributes["href"] in ("data:,", "#gallery", "report.csv")
    source = (shop.output / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|url\(|@import|//[a-z]+\.", source.replace(str(shop.root), ""))
    assert "../photos/a%20b%23%3F%25.png" in {row["photo"] for row in page.rows}


def test_the_policy_allows_the_pages_own_script_alone(shop: Shop):
    page = written(shop)
    (policy,) = [found["content"] for tag, found in page.elements if "http-equiv" in found]
    assert policy is not None
    assert "default-src 'none'" in policy
    assert page_module._hash(page.scripts[-1][1]) in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]


# -- the table -----------------------------------------------------------------------------------------------------


def test_the_table_holds_a_row_a_photo_output(shop: Shop):
    job = shop.make("a/mug.png", background="wall.png", distortion=12, blur=118, excess=3, remark="came as JPEG")
    shop.photo("bad.png", b"no", rejected="corrupt")
    write_report(shop.url)
    done, rejected = table(shop)
    assert list(done) == list(COLUMNS)
    assert done == {
        "id": job.id,
        "state": "done",
        "photo": "a/mug.png",
        "background": "wall.png",
        "treatment": "fit",
        "distortion": "0.012",
        "blur": "0.118",
        "excess": "0.003",
        "output": "a/mug.png",
        "project_id": f"project-{job.id}",
        "credits": "5",
        "attempts": "1",
        "error": "",
        "remark": "came as JPEG",
        "copy_of": "",
        "verdict": "",
        "verdict_reason": "",
    }
    assert (rejected["photo"], rejected["error"]) == ("bad.png", "corrupt")


def test_verdicts_are_shown_with_their_reasons(shop: Shop):
    """Beside every place that holds the result, in the page as in the table; without one there is nothing to see."""
    job, other = shop.make("a.png"), shop.make("b.png")
    shop.copy("c.png", job)
    with shop.ledger.transaction() as tx:
        reviews.give(tx, job.id, ReviewVerdict.REJECTED, "=strap\n<cut>")
        reviews.give(tx, other.id, ReviewVerdict.ACCEPTED)
    rows = {row["file"]: (row["verdict"], row["verdictReason"]) for row in written(shop).rows}
    assert rows == {
        "a.png": ("rejected", "=strap\n<cut>"),
        "b.png": ("accepted", ""),
        "c.png": ("rejected", "=strap\n<cut>"),
    }
    told = {row["photo"]: (row["verdict"], row["verdict_reason"]) for row in table(shop)}
    assert told["a.png"] == ("rejected", "'=strap\n<cut>")
    assert told["b.png"] == ("accepted", "")


def test_a_name_that_looks_like_a_formula_stays_text_in_a_spreadsheet(shop: Shop):
    shop.make('=cmd|"/c calc",1\n.png')
    write_report(shop.url)
    assert table(shop)[0]["photo"] == '\'=cmd|"/c calc",1\n.png'


def test_a_table_of_somebody_else_is_not_replaced(shop: Shop, tmp_path: Path):
    (tmp_path / "shop.csv").write_text("photo,background\na,b\n")
    with pytest.raises(ConfigError, match="would be replaced"):
        write_report(shop.url, tmp_path / "shop.html")
    assert (tmp_path / "shop.csv").read_text().startswith("photo,")
    assert not (tmp_path / "shop.html").exists()


# -- where it goes -------------------------------------------------------------------------------------------------


def test_the_default_place_is_the_last_runs_output_folder(shop: Shop, tmp_path: Path):
    assert write_report(shop.url, None, tmp_path / "other") == shop.output / "report.html"
    assert (shop.output / "report.csv").is_file()


def test_without_a_run_it_is_the_output_of_the_settings(tmp_path: Path):
    open_ledger(f"sqlite:///{tmp_path}/new.db").close()
    page = write_report(f"sqlite:///{tmp_path}/new.db", None, tmp_path / "made" / "for it")
    assert page == Path(os.path.realpath(tmp_path)) / "made" / "for it" / "report.html"
    assert page.is_file()


def test_links_follow_the_place_of_the_page(shop: Shop, tmp_path: Path):
    shop.make("a.png")
    page = Parsed(write_report(shop.url, tmp_path / "x" / "y" / "r.html").read_text(encoding="utf-8"))
    assert (page.rows[0]["photo"], page.rows[0]["result"]) == ("../../photos/a.png", "../../output/a.png")


def test_a_folder_takes_report_html(shop: Shop, tmp_path: Path):
    assert write_report(shop.url, tmp_path).name == "report.html"


@pytest.mark.parametrize("name", ["photo.png", "report.csv", "report"])
def test_a_name_that_is_no_page_is_refused(shop: Shop, tmp_path: Path, name: str):
    with pytest.raises(ConfigError, match=r"\.html"):
        write_report(shop.url, tmp_path / name)


def test_nothing_is_written_among_photos_or_backgrounds(shop: Shop):
    shop.make("a.png", background="wall.png")
    for folder in (shop.photos, shop.backgrounds / "below"):
        with pytest.raises(ConfigError, match="nothing is written"):
            write_report(shop.url, folder / "report.html")
    assert [file.name for file in shop.backgrounds.iterdir()] == ["wall.png"]


def test_the_page_is_whole_or_as_it_was(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    shop.make("a.png")
    page = write_report(shop.url)
    before = page.read_bytes(), page.with_suffix(".csv").read_bytes()

    def break_off(_thumbs: object, _form: object) -> Any:
        yield "half"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(page_thumbs, "block", break_off)
    shop.make("b.png")
    with pytest.raises(DiskError, match="No space left"):
        write_report(shop.url)
    assert (page.read_bytes(), page.with_suffix(".csv").read_bytes()) == before
    assert sorted(file.name for file in shop.output.iterdir()) == ["a.png", "b.png", "report.csv", "report.html"]


@pytest.mark.slow
def test_who_has_the_old_page_open_goes_on_reading_it(shop: Shop):
    shop.make("a.png")
    page = write_report(shop.url)
    old = page.read_bytes()
    with page.open("rb") as file:
        shop.make("b.png")
        write_report(shop.url)
        assert file.read() == old
    assert page.read_bytes() != old


def test_the_ledger_is_only_read(shop: Shop):
    shop.make("a.png")
    with shop.ledger.reading() as connection:
        before = list(connection.exec_driver_sql("SELECT * FROM events"))
    write_report(shop.url)
    with shop.ledger.reading() as connection:
        assert list(connection.exec_driver_sql("SELECT * FROM events")) == before


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path):
    with pytest.raises(ConfigError, match="there is no ledger"):
        write_report(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


# -- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_where_the_page_is(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    shop.make("a.png")
    printed = CliRunner().invoke(group, ["report", "--ledger", shop.url], catch_exceptions=False)
    assert printed.output == f"{shop.output / 'report.html'}\n"
    printed = CliRunner().invoke(group, ["report", "--ledger", shop.url, "-o", "mine.html"], catch_exceptions=False)
    assert printed.output.endswith("mine.html\n")
    assert (tmp_path / "mine.html").is_file()
    quiet = CliRunner().invoke(group, ["report", "--ledger", shop.url, "-q"], catch_exceptions=False)
    assert quiet.output == ""
