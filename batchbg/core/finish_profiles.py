"""The profiles that need no config.toml: one for each marketplace whose rule is known."""

from types import MappingProxyType
from typing import Final

from batchbg.core import marketplaces
from batchbg.core.finishing import Canvas, Profile

SQUARE: Final = Canvas(1, 1, exact=False)

_ALL: Final = (
    Profile(name="amazon", canvas=SQUARE, longest=2_000, quality=92, max_bytes=10_000_000, rule=marketplaces.AMAZON),
    Profile(name="ebay", canvas=SQUARE, longest=1_600, max_bytes=12_000_000, rule=marketplaces.EBAY),
    Profile(name="etsy", canvas=SQUARE, longest=2_400, margin=8.0, rule=marketplaces.ETSY),
    Profile(name="shopify", canvas=SQUARE, longest=2_048, max_bytes=20_000_000, rule=marketplaces.SHOPIFY),
    # A margin of 8 percent leaves 84 of the frame to the product, between the 75 and the 90 that are advised.
    Profile(name="google", canvas=SQUARE, longest=2_000, margin=8.0, max_bytes=16_000_000, rule=marketplaces.GOOGLE),
)

BUILT_IN: Final = MappingProxyType({profile.name: profile for profile in _ALL})
"""By name. All make square JPEGs on white without a shadow, cut to the product and never enlarged."""
