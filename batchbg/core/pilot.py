"""Which photos to try first: a few that stand for all, the same ones whenever nothing has changed."""

import hashlib
from collections.abc import Iterable

from batchbg.core.model import Size


def pick(candidates: Iterable[tuple[str, str, Size]], number: int) -> list[str]:
    """Return the ids of up to ``number`` candidates, spread over folders and sizes.

    Every folder gives one photo of each of its sizes before any gives a second; who goes first is drawn by a hash of
    the photo's path, so that the pick does not hang on names or on the order of the scan.

    Args:
        candidates: (id, photo's path below the photo folder, pixels).
        number: how many at most.
    """
    groups: dict[tuple[str, Size], list[tuple[str, str]]] = {}
    for job_id, path, pixels in candidates:
        group = groups.setdefault((path.rpartition("/")[0], pixels), [])
        group.append((_draw(path), job_id))
        if len(group) > number:  # only the first few of a group can ever be picked: memory stays flat
            group.remove(max(group))
    ranked = [(rank, draw, job_id) for group in groups.values() for rank, (draw, job_id) in enumerate(sorted(group))]
    return [job_id for _, _, job_id in sorted(ranked)[:number]]


def _draw(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()
