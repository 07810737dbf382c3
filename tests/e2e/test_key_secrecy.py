"""The key goes to the API's host and nowhere else, however a server repeats it."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.shop import KEY, Shop
from tests.support.tiers import rest_slow

WRITINGS = (
    KEY,
    KEY.upper(),
    quote(KEY, safe="") + "".join(f"%{ord(letter):02x}" for letter in KEY),
    base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    KEY.encode().hex(),
    KEY[::-1],
    "x" * 185 + KEY,  # which the limit of a message's length cuts in the middle
    "x" * 285 + KEY,
)


def traces(text: str) -> list[str]:
    """Return the writings of the key that are in a text, its beginning included."""
    return [one for one in (*WRITINGS[:6], KEY[:15]) if one.lower() in text.lower()]


def assert_nowhere(shop: Shop, *said: str) -> None:
    """Look for the key in all that was printed and in every file of the shop."""
    tables = [shop.do("ledger export", "--table", table).out for table in ("jobs", "events", "runs")]
    csv = shop.do("ledger export", "--format", "csv").out
    shop.do("report", "-o", str(shop.folder / "page.html"))
    shown = [shop.do("jobs").out, shop.do("jobs", "--json").out, shop.do("audit").out]
    for text in (*said, *tables, csv, *shown):
        assert traces(text) == []
    for path in shop.folder.rglob("*"):
        if path.is_file() and path.suffix in (".html", ".csv", ".db", ".db-wal", ".log"):
            assert traces(path.read_bytes().decode("latin-1")) == [], path


@pytest.mark.parametrize(
    ("where", "written"),
    [
        *rest_slow(("message", written) for written in WRITINGS),
        *rest_slow((("code", written) for written in WRITINGS), 0),
        *rest_slow((("error", written) for written in WRITINGS), 0),
    ],
)
def test_a_record_that_repeats_the_key_gives_it_to_nobody(shop: Shop, written: str, where: str):
    error: Any = f"bad: {written}" if where == "error" else {"code": "x", "message": "y"} | {where: written}
    shop.some_photos(1)
    shop.faults.add(
        "status",
        "replace",
        fields={"status": "error", "error": error, "credits_charged": 0, "name": f"batchbg {written}"},
    )
    result = shop.run("-vv")
    assert result.code == 3
    assert_nowhere(shop, result.out, result.err)


@pytest.mark.slow
@pytest.mark.parametrize("written", rest_slow(WRITINGS[::-1]))
def test_a_refusal_that_repeats_the_key_gives_it_to_nobody(shop: Shop, written: str):
    shop.some_photos(1)
    shop.faults.add("create", "status", status=400, commit=False, code=written, message=written)
    result = shop.run("-vv")
    assert result.code == 3
    assert_nowhere(shop, result.out, result.err)


@pytest.mark.slow
def test_other_words_of_the_service_that_hold_the_key(shop: Shop):
    """The account's name and plan, a status that is unknown, and the project's id, which nobody asks for then."""
    shop.some_photos(2)
    shop.faults.add("account", "replace", fields={"id": f"acc {KEY}", "tier": KEY})
    shop.faults.add("status", "replace", fields={"status": f"odd {KEY}"}, nth=1)
    shop.faults.add("create", "project_id", id=f"p{KEY}", nth=2)
    result = shop.run("-vv", "--max-in-flight", "1")
    assert result.code == 3
    assert shop.status()["jobs"]["unresolved"] == 1
    assert_nowhere(shop, result.out, result.err, shop.do("account").out)


@pytest.mark.slow
@pytest.mark.parametrize("operation", rest_slow(["create", "status"]))
def test_a_price_that_is_the_key_gives_it_to_nobody(shop: Shop, operation: str):
    """An odd price is kept as it was said, for a person to judge."""
    shop.some_photos(1)
    shop.faults.add(operation, "replace", fields={"credits_charged": KEY})
    result = shop.run("-vv")
    assert_nowhere(
        shop,
        result.out,
        result.err,
        shop.do("doctor", "--base-url", shop.base_url).out,
        shop.do("account", "--dismiss-price").out,
    )


def test_an_address_that_holds_the_key_is_not_asked(shop: Shop):
    """Storage hosts are told nothing of it: not even where the service writes it into their addresses."""
    shop.some_photos(1)
    url = f"{shop.sandbox.url}/storage/x.png?key={KEY}"
    shop.faults.add("status", "replace", fields={"downloads": [{"url": url}]}, nth=1)
    shop.run("-vv")
    assert shop.sandbox.books.keys_at_storage == 0
