import pytest
from PIL import Image

from tests.finish.support import Finishing
from tests.support.shop import Shop


@pytest.fixture
def finishing(shop: Shop) -> Finishing:
    """A shop with three results: of two photos in the folder, and of one in a folder below."""
    for number, path in enumerate(("mug_01.png", "mug_02.png", "sub/cup.png")):
        target = shop.photos / path
        target.parent.mkdir(exist_ok=True)
        picture = Image.new("RGB", (96, 64), (240, 240, 236))
        picture.paste((180, 40 + 60 * number, 30), (20 + number, 16, 70, 50))
        picture.save(target)
    assert shop.run("-y").code == 0
    return Finishing(shop)
