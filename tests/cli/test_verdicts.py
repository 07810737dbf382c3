"""Verdicts from a table: a spreadsheet's, a script's, or the report's own with a column filled in."""

import csv
from pathlib import Path

import pytest

from batchbg.core.text import cell, text_of_cell
from tests.support.shop import Shop
from tests.support.tiers import rest_slow


def verdicts(shop: Shop) -> dict[str, tuple[str | None, str]]:
    return {job["photo"]: (job["verdict"], job["verdict_reason"]) for job in shop.jobs()}


def take(shop: Shop, text: str, encoding: str = "utf-8") -> tuple[int, str, str]:
    (shop.folder / "table.csv").write_text(text, encoding)
    result = shop.do("ledger verdicts", "table.csv")
    return result.code, result.out, result.err


def test_the_report_s_table_is_filled_in_and_taken_back(shop: Shop):
    """As a spreadsheet saves it; then the rejected are done again, with no page and no mouse."""
    shop.some_photos(3)
    assert shop.run().code == 0
    assert shop.do("report").code == 0
    table = shop.output / "report.csv"
    with table.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["verdict"] = "Rejected" if row["photo"] == "photo-001.png" else ""
        row["verdict_reason"] = "'=strap" if row["verdict"] else ""
    with table.open("w", encoding="utf-16", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";", lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
    result = shop.do("ledger verdicts", "output/report.csv")
    assert (result.code, result.out) == (0, "1 verdict taken\n")
    assert verdicts(shop)["photo-001.png"] == ("rejected", "=strap")
    assert shop.do("ledger verdicts", "output/report.csv").out == "0 verdicts taken, 1 as before\n"
    assert [one["photo"] for one in shop.do("redo", "--rejected", "--json").json["planned"]] == ["photo-001.png"]


@pytest.mark.slow
def test_verdicts_are_changed_and_taken_back(shop: Shop):
    shop.some_photos(2)
    assert shop.run().code == 0
    one, two = (job["id"] for job in sorted(shop.jobs(), key=lambda job: job["photo"]))
    assert take(shop, f"id,verdict\n{one},accepted\n{two},rejected\n")[:2] == (0, "2 verdicts taken\n")
    assert take(shop, f"verdict\tid\nundecided\t{one}\naccepted\t{two}\n")[:2] == (0, "2 verdicts taken\n")
    assert verdicts(shop) == {"photo-000.png": (None, ""), "photo-001.png": ("accepted", "")}


@pytest.mark.parametrize(
    ("text", "said"),
    rest_slow(
        [
            ("id,verdict\nJOB,rejected\nJOB,acepted\n", "table.csv, line 3: 'acepted' is no verdict"),
            ("id,verdict\nJOB,rejected\nnobody,accepted\n", "line 3: there is no job nobody; no verdict was taken"),
            ("id,verdict\nJOB,accepted\nJOB,rejected\n", "lines 2 and 3 have two verdicts for job"),
            ("id,verdict\n,accepted\n", "line 2: a verdict without the id of its job"),
            ("photo,answer\na,b\n", "its first line has to name the columns, id and verdict among them"),
            ("", "its first line has to name the columns"),
            ('id,verdict\n"JOB,accepted\n', "table.csv: unexpected end of data"),
        ]
    ),
)
def test_a_table_that_is_wrong_changes_nothing(shop: Shop, text: str, said: str):
    shop.some_photos(1)
    assert shop.run().code == 0
    (job,) = shop.jobs()
    code, out, err = take(shop, text.replace("JOB", job["id"]))
    assert (code, out) == (2, "")
    assert said in err
    assert verdicts(shop) == {"photo-000.png": (None, "")}


@pytest.mark.slow
def test_a_table_that_cannot_be_read_is_named(shop: Shop):
    shop.some_photos(1)
    assert shop.run().code == 0
    assert "none.csv: No such file" in shop.do("ledger verdicts", "none.csv").err
    assert "save it as UTF-8" in take(shop, "id,verdict\né,accepted\n", "latin-1")[2]
    Path(shop.folder / "batchbg.db").unlink()
    assert take(shop, "id,verdict\n")[0] == 2


@pytest.mark.parametrize("text", ["", "plain", "=sum", "'=sum", "''@", "'quoted'", " -1", "\t", "it's"])
def test_a_text_comes_back_from_a_spreadsheet(text: str):
    assert text_of_cell(str(cell(text))) == text
