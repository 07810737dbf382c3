"""What marketplaces ask of pictures, as data with its source and date, and whether a picture meets it.

Only what can be seen by measuring is here; that a picture shows the right product, without text or borders, is for
people. Marketplaces change their pages without notice: the date says as of when a rule is given here.
"""

import dataclasses
from typing import Final

from batchbg.core.model import Size


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """Where a rule is published.

    Attributes:
        title: of the page.
        address: of the page.
        as_of: year and month as of which the rule is given, as "2026-11".
    """

    title: str
    address: str
    as_of: str

    def __str__(self) -> str:
        return f"{self.title}, {self.address}, as of {self.as_of}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a marketplace asks for, and what it advises. None, or False, where it says nothing.

    Attributes:
        source: where that is published.
        formats: "jpeg", "png", "webp": those of ours that are accepted.
        least_longer, least_shorter: pixels of the longer and of the shorter side, at least.
        most_side: pixels of the longer side at most.
        most_pixels: of the whole picture at most.
        most_bytes: of the file at most.
        white: the background is pure white, (255, 255, 255).
        opaque: nothing is transparent.
        least_fill: part of the frame that the product takes, in its longer direction, at least.
        advised_longer, advised_shorter: pixels that are advised, as for zooming; less is told and no fault.
        advised_fill: the least and the greatest part of the frame that are advised.
    """

    source: Source
    formats: frozenset[str]
    least_longer: int | None = None
    least_shorter: int | None = None
    most_side: int | None = None
    most_pixels: int | None = None
    most_bytes: int | None = None
    white: bool = False
    opaque: bool = False
    least_fill: float | None = None
    advised_longer: int | None = None
    advised_shorter: int | None = None
    advised_fill: tuple[float, float] | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was measured in a finished file.

    Attributes:
        format: "jpeg", "png" or "webp".
        pixels: its size.
        size: bytes of the file.
        opaque: nothing in it is transparent.
        white: its outermost pixels, and all that lies behind the product, are pure white.
        fill: part of the frame that the product takes, in its longer direction.
        wanted: how many times larger than in its photo the product would have to be to fill the frame; see ``Layout``.
    """

    format: str
    pixels: Size
    size: int
    opaque: bool
    white: bool
    fill: float
    wanted: float


def unmet(rule: Rule, facts: Facts) -> list[str]:
    """Return why a picture does not meet a rule, a reason each; nothing where it does."""
    reasons = []
    longer, shorter = max(facts.pixels), min(facts.pixels)
    if facts.format not in rule.formats:
        reasons.append(f"it is {facts.format}, accepted are {', '.join(sorted(rule.formats))}")
    if rule.least_longer and longer < rule.least_longer:
        reasons.append(f"its longer side has {longer} pixels, at least {rule.least_longer} are asked for")
    if rule.least_shorter and shorter < rule.least_shorter:
        reasons.append(f"its shorter side has {shorter} pixels, at least {rule.least_shorter} are asked for")
    if rule.most_side and longer > rule.most_side:
        reasons.append(f"its longer side has {longer} pixels, at most {rule.most_side} are accepted")
    if rule.most_pixels and facts.pixels.width * facts.pixels.height > rule.most_pixels:
        reasons.append(f"it has more than {rule.most_pixels / 1e6:g} megapixels")
    if rule.most_bytes and facts.size > rule.most_bytes:
        reasons.append(f"it has {facts.size / 1e6:.1f} MB, at most {rule.most_bytes / 1e6:g} MB are accepted")
    if rule.opaque and not facts.opaque:
        reasons.append("it is transparent")
    if rule.white and not facts.white:
        reasons.append("its background is not pure white")
    if rule.least_fill and facts.fill < rule.least_fill:
        too_small = f"; the source would have to be enlarged {facts.wanted:.1f} times" if facts.wanted > 1.01 else ""
        reasons.append(
            f"the product takes {facts.fill:.0%} of the frame, at least {rule.least_fill:.0%} are asked for{too_small}"
        )
    return reasons


def advice(rule: Rule, facts: Facts) -> list[str]:
    """Return what is advised and not so, where the rule itself is met."""
    longer, shorter = max(facts.pixels), min(facts.pixels)
    found = []
    if rule.advised_longer and longer < rule.advised_longer:
        found.append(f"its longer side has {longer} pixels, {rule.advised_longer} are advised")
    if rule.advised_shorter and shorter < rule.advised_shorter:
        found.append(f"its shorter side has {shorter} pixels, {rule.advised_shorter} are advised")
    if rule.advised_fill and not rule.advised_fill[0] <= facts.fill <= rule.advised_fill[1]:
        least, most = rule.advised_fill
        found.append(f"the product takes {facts.fill:.0%} of the frame, {least:.0%} to {most:.0%} are advised")
    return found


AMAZON: Final = Rule(
    source=Source(
        "Amazon Seller Central, Product image guide",
        "https://sellercentral.amazon.com/help/hub/reference/external/G1881",
        "2026-11",
    ),
    formats=frozenset({"jpeg", "png"}),
    least_longer=500,
    most_side=10_000,
    white=True,
    opaque=True,
    least_fill=0.85,
    advised_longer=1_000,
)
"""Of the main image; it is zoomed from 1,000 pixels on."""

EBAY: Final = Rule(
    source=Source(
        "eBay, Picture policy", "https://www.ebay.com/help/policies/listing-policies/picture-policy?id=4370", "2026-11"
    ),
    formats=frozenset({"jpeg", "png", "webp"}),
    least_longer=500,
    advised_longer=1_600,
)
"""1,600 pixels are the largest that it keeps and shows (eBay developers, Picture hosting). The page names no largest
file; 12 MB are said elsewhere, to which the profile keeps."""

ETSY: Final = Rule(
    source=Source(
        "Etsy Help, Requirements and best practices for images in your Etsy shop",
        "https://help.etsy.com/hc/en-us/articles/115015663347",
        "2026-11",
    ),
    formats=frozenset({"jpeg", "png"}),
    opaque=True,
    advised_shorter=2_000,
)
"""It shows a transparent PNG on black, or not at all."""

SHOPIFY: Final = Rule(
    source=Source(
        "Shopify Help Center, Product media types",
        "https://help.shopify.com/en/manual/products/product-media/product-media-types",
        "2026-11",
    ),
    formats=frozenset({"jpeg", "png", "webp"}),
    most_side=5_000,
    most_pixels=25_000_000,
    most_bytes=20_000_000,
    advised_longer=800,
)
"""Themes zoom from 800 pixels on; 2048x2048 is what it names for square pictures."""

GOOGLE: Final = Rule(
    source=Source(
        "Google Merchant Center Help, Image link [image_link]",
        "https://support.google.com/merchants/answer/6324350",
        "2026-11",
    ),
    formats=frozenset({"jpeg", "png", "webp"}),
    least_shorter=500,
    most_pixels=64_000_000,
    most_bytes=16_000_000,
    advised_shorter=1_500,
    advised_fill=(0.75, 0.90),
)
"""500 pixels hold from 2027-01-31 on, announced 2026-04-14; before, 100 did, and 250 for clothes. It asks for pictures
that are not scaled up, and advises 75 to 90 percent of the frame."""
