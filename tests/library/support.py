"""A shop's folder as a program sees it."""

from typing import Any

from batchbg import Batch
from tests.support.shop import KEY, Shop


def batch(shop: Shop, **options: Any) -> Batch:
    """Return the shop's batch, at its sandbox."""
    given = {"base_url": shop.base_url, "requests_per_second": 1000, "output": shop.output, "ledger": shop.ledger}
    if shop.backgrounds.exists():
        given["backgrounds"] = shop.backgrounds
    photos = options.pop("photos", shop.photos)
    return Batch(photos, **{"api_key": KEY, **given, **options})
