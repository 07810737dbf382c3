"""How long it takes to pair 100,000 photos with 10,000 backgrounds, by policy and by a map of 10,000 names.

python -m tests.benchmarks.pairing
"""

import hashlib
import random
import time

from batchbg.core.model import Size
from batchbg.core.pairing import Background, Pairing, Tolerance
from batchbg.plan.background_map import MapRule
from batchbg.plan.selection import ByMap, ByPairing

PHOTOS, BACKGROUNDS = 100_000, 10_000


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def sizes(number: int, distinct: int, seed: int) -> list[Size]:
    """Return sizes of which so many are distinct, with the aspect ratios of cameras or of crops by hand."""
    draw = random.Random(seed)
    pool = [Size(draw.randint(400, 6000), draw.randint(400, 6000)) for _ in range(distinct)]
    return [draw.choice(pool) for _ in range(number)]


def main() -> None:
    contents = [digest(number) for number in range(PHOTOS)]
    print(f"{PHOTOS} photos, {BACKGROUNDS} backgrounds")
    for policy, photo_sizes, background_sizes in [
        ("best", 300, 40),
        ("best", 300, BACKGROUNDS),
        ("best", PHOTOS, 40),
        ("best", PHOTOS, BACKGROUNDS),
        ("spread", 300, BACKGROUNDS),
    ]:
        pool = [
            Background(f"{index}.jpg", digest(-index), size)
            for index, size in enumerate(sizes(BACKGROUNDS, background_sizes, 1))
        ]
        photos = list(zip(sizes(PHOTOS, photo_sizes, 2), contents, strict=True))
        start = time.perf_counter()
        pairing = Pairing(pool, Tolerance(), policy)
        for pixels, sha256 in photos:
            pairing.choose(pixels, sha256)
        taken = time.perf_counter() - start
        print(f"{policy:7s} {photo_sizes:7d} photo sizes {background_sizes:6d} background sizes {taken:8.2f} s")
    by_map()


def by_map() -> None:
    """Every tenth photo has a line of its own, with a few patterns at the end of the map."""
    pool = [Background(f"{index}.jpg", digest(-index), Size(800, 600)) for index in range(BACKGROUNDS)]
    names = [f"{index % 100:03d}/IMG_{index:06d}.jpg" for index in range(PHOTOS)]
    rules = [MapRule(name, one.path) for name, one in zip(names[:: PHOTOS // BACKGROUNDS], pool, strict=True)]
    rules += [MapRule("099/*", "1.jpg"), MapRule("*_99*.jpg", "2.jpg"), MapRule("draft-*", "")]
    start = time.perf_counter()
    pairing = ByPairing(Pairing(pool, Tolerance()), "fit")
    chooser = ByMap(rules, {}, pairing, pairing)
    for name in names:
        chooser.choose(name, Size(800, 600), "")
    print(f"map     {len(rules):7d} rules {time.perf_counter() - start:39.2f} s")


if __name__ == "__main__":
    main()
