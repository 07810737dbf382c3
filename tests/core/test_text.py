"""Foreign text on its way out: what it may do to a terminal, a log, a spreadsheet, and to the key's secrecy."""

import base64
import csv
import html
import io
import json
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchbg.core.text import HIDDEN, as_json, cell, scrub, scrubbed, shown

KEY = "mhk_live_0Abc/123+456defGHI789"


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain name.jpg", "plain name.jpg"),
        ("Größe 写真 \u200d\u200c.png", "Größe 写真 \u200d\u200c.png"),
        ("\x1b[31mred\x1b[0m", r"\e[31mred\e[0m"),
        ("\x1b]0;title\x07", r"\e]0;title\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\r\nb\tc\x00\x7f\x08", r"a\r\nb\tc\x00\x7f\x08"),
        ("photo\u202egnp.exe", r"photo\u202egnp.exe"),
        ("\u2066x\u2069\u200f\u061c", r"\u2066x\u2069\u200f\u061c"),
        ("a\u2028b\u2029c\u0085", r"a\u2028b\u2029c\x85"),
        ("\udcff.jpg", r"\xff.jpg"),
        ("\ud83d", r"\ud83d"),
        ("\U000e0041", r"\U000e0041"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_would_do_something_on_a_terminal_is_seen_instead(text: str, seen: str):
    assert shown(text) == seen


@given(st.text(st.characters(), max_size=40))
@example("\x1b\x9b\u202e\n\udc80")
def test_nothing_shown_moves_a_cursor_or_ends_a_line(text: str):
    """And it can be written in UTF-8."""
    seen = shown(text)
    assert seen.encode("utf-8").decode() == seen
    assert len(seen.splitlines()) <= 1
    for character in seen:
        assert character in "\u200c\u200d" or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(st.text(st.characters(), max_size=40))
@example("\x7f\x9b")
def test_json_is_printable_ascii_and_the_same_value(text: str):
    line = as_json({text: [text]})
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) == {text: [text]}


# Spreadsheets

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "'=1",
    "''=1",
    "\uff1d1+1",
    "\u00a0=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", FORMULAS)
def test_what_looks_like_a_formula_is_text_in_a_cell(text: str):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["a.jpg", "", "it's", "'quoted'", "a=b", -5, 1.5, None, True, "3"])
def test_other_cells_stay_as_they_are(value: object):
    assert cell(value) == value


@given(st.text(st.sampled_from("'=+-@\t\r\n ax"), max_size=6))
def test_a_cell_can_be_read_back(text: str):
    """One apostrophe is taken away where it stands before such a beginning."""
    written = cell(text)
    again = written[1:] if written[:1] == "'" and cell(written[1:]) == written else written
    assert again == text


def test_a_cell_survives_the_csv_itself():
    file = io.StringIO()
    csv.writer(file).writerow([cell("\udcff\x1b.jpg")])
    assert file.getvalue() == "\\udcff\x1b.jpg\r\n"


# The key

ENCODINGS = {
    "as it is": KEY,
    "lower": KEY.lower(),
    "upper": KEY.upper(),
    "percent": quote(KEY, safe=""),
    "every letter in percent": "".join(f"%{ord(letter):02X}" for letter in KEY),
    "percent twice": quote(quote(KEY, safe=""), safe=""),
    "json": "".join(f"\\u{ord(letter):04x}" for letter in KEY),
    "python": "".join(f"\\x{ord(letter):02x}" for letter in KEY),
    "html": "".join(f"&#{ord(letter)};" for letter in KEY),
    "html in hexadecimal": "".join(f"&#x{ord(letter):X};" for letter in KEY),
    "escaped": html.escape(KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(KEY.encode()).decode(),
    "base64 of the header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 of a pair": base64.b64encode(f"u:{KEY}\n".encode()).decode(),
    "hexadecimal": KEY.encode().hex(),
    "HEXADECIMAL": KEY.encode().hex().upper(),
    "backwards": KEY[::-1],
    "broken over lines": "\n ".join(KEY),
    "cut off": KEY[:20],
    "cut off early": KEY[:15],
}


@pytest.mark.parametrize("written", ENCODINGS.values(), ids=ENCODINGS)
def test_the_key_is_hidden_in_every_writing(written: str):
    hidden = scrub(f"401: the key '{written}' is bad", KEY)
    assert HIDDEN in hidden
    assert hidden.startswith("401: the key '")
    assert hidden.endswith("is bad")
    assert written not in hidden
    assert KEY[10:] not in hidden


def test_other_text_is_left_alone():
    """What every key begins with is no secret, nor is a word of which a rehearsal's key is a part."""
    for text in ("mhk_live_ is how keys begin", "https://videos.magichour.ai/a?X=mhk", ""):
        assert scrub(text, KEY) == text
    assert scrub(f"{KEY}.png, {KEY}&x=1", KEY) == "***.png, ***&x=1"
    assert scrub("company.jpg for any", "any") == "company.jpg for ***"
    assert scrub("anything", "") == "anything"
    assert scrub("https://videos.magichour.ai/x", "magichour-test-key") == "https://videos.magichour.ai/x"


def test_a_json_value_is_scrubbed_to_its_last_text():
    """Names of members are texts too; numbers and the shape stay."""
    body = {"error": {"message": f"bad {KEY}", KEY: [KEY, 5, None, True]}, "n": 1.5}
    assert scrubbed(body, KEY) == {"error": {"message": "bad ***", "***": ["***", 5, None, True]}, "n": 1.5}
    assert scrubbed(["http://x/?by=any", "for any"], "any") == ["http://x/?by=any", "for ***"]
    assert scrubbed(f"http://x/?by={KEY}", KEY) == "http://x/?by=***"
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert KEY not in str(scrubbed([deep, KEY], KEY))
