"""Everything that can go wrong without costing credits, at once."""

import bisect

import pytest
from PIL import Image

from tests.support.shop import Shop

PHOTOS = 200
RATE = 60

STORM: dict[str, list[tuple[str, dict[str, float]]]] = {
    "status": [("status", {"status": 500}), ("reset", {}), ("hang", {"seconds": 0.5}), ("html", {})],
    "download": [
        ("truncated", {}),
        ("corrupt", {}),
        ("html", {}),
        ("expired", {}),
        ("reset", {}),
        ("slow", {"chunk_bytes": 64, "interval_s": 0.01}),
    ],
    "upload": [("expired", {}), ("status", {"status": 500}), ("reset", {})],
    "upload_urls": [("status", {"status": 503, "retry_after": 0.2}), ("broken_json", {}), ("hang_up", {})],
    "create": [
        ("status", {"status": 429, "retry_after": 0.3}),
        ("status", {"status": 429}),
        ("status", {"status": 502}),
    ],
    "account": [("status", {"status": 500})],
}
"""Faults by operation. What costs credits is left to other tests: a lost answer is a person's to settle."""

FIRST = 3
APART = 37
"""Each kind strikes at every so many calls of its operation, one kind after the other."""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_storm_on_two_hundred_photos_costs_time_and_nothing_else(shop: Shop, monkeypatch):
    """All outputs are right, nothing is paid twice, the rate is kept."""
    monkeypatch.setattr("batchbg.core.create_outcome.BAD_GATEWAY_PAUSE_S", 0.2)
    photos = {f"{index // 50}/{index:03d}.png": 0x010203 * (index + 1) for index in range(PHOTOS)}
    for path, colour in photos.items():
        shop.photo(path, colour=colour)
    shop.sandbox.configure(background_cutout="echo", render_s=0.2, render_sigma=0.5)
    for operation, faults in STORM.items():
        for index, (kind, details) in enumerate(faults):
            shop.faults.add(operation, kind, nth=range(FIRST + 5 * index, 400, APART), **details)
    codes = [shop.run("--requests-per-second", str(RATE), "--max-in-flight", "24", "-y").code]
    while codes[-1] == 5 and len(codes) < 3:  # tried often enough for one run; the next goes on
        codes.append(shop.resume("-y").code)
    assert codes[-1] == 0, (codes, shop.jobs("--state", "unresolved"), shop.jobs("--state", "failed"))
    for operation in ("download", "create"):
        assert shop.sandbox.books.requests(operation) >= PHOTOS + 15, "hardly a fault has struck"
    assert len(shop.creates()) == PHOTOS
    assert shop.sandbox.books.charged == 5 * PHOTOS
    for path, colour in photos.items():
        with Image.open(shop.output / path) as result:
            assert result.convert("RGB").getpixel((20, 20)) == (colour & 255, colour >> 8 & 255, colour >> 16), path
    shop.assert_adds_up()
    starts = shop.sandbox.books.starts()
    # As seen by the server: a machine under load may deliver what left in time a little later.
    assert max(bisect.bisect(starts, start + 1.0) - index for index, start in enumerate(starts)) <= RATE + 6
