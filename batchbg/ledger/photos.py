"""Fingerprints of photos and backgrounds: what probing found in files, so that they are not opened again."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from batchbg.core.model import PhotoInfo, Size, Stamp
from batchbg.ledger.sql import Row, Statement, below, bounds, insert
from batchbg.ledger.tables import PathText, folders, jobs, outputs, photos, pictures, runs
from batchbg.ledger.transaction import Tx


def infos_of(connection: sa.Connection, root_id: int, paths: Sequence[str]) -> dict[str, PhotoInfo]:
    """Return what probing found in these files, by path below the root."""
    return {row[0]: _as_info(row) for row in _INFOS.all(connection, root=root_id, paths=paths)}


_INFO: Final = sa.select(
    photos.c.path,
    photos.c.size,
    photos.c.mtime_ns,
    photos.c.inode,
    photos.c.ctime_ns,
    photos.c.sha256,
    photos.c.width,
    photos.c.height,
    photos.c.extension,
    photos.c.normalise,
    photos.c.rejected,
    photos.c.picture,
    photos.c.key,
)
_INFOS: Final = Statement(
    _INFO.where(photos.c.folder_id == sa.bindparam("root"), photos.c.path.in_(sa.bindparam("paths", expanding=True))),
    of="paths",
)


def _as_info(row: Row) -> PhotoInfo:
    _path, size, mtime_ns, inode, ctime_ns, sha256, width, height, *others = row
    pixels = Size(width, height) if width is not None else None
    return PhotoInfo(Stamp(size, mtime_ns, inode, ctime_ns), sha256, pixels, *others)


def info_of(connection: sa.Connection, root: str, path: str) -> PhotoInfo | None:
    """Return what probing found in one file."""
    row = _INFO_IN.first(connection, root=root, name=path)
    return _as_info(row) if row else None


_INFO_IN: Final = Statement(
    _INFO.join(folders, folders.c.id == photos.c.folder_id).where(
        folders.c.path == sa.bindparam("root"), photos.c.path == sa.bindparam("name")
    )
)


def remember(tx: Tx, root_id: int, infos: Mapping[str, PhotoInfo]) -> dict[str, PhotoInfo]:
    """Keep what probing found, in place of what it found before; return it with the keys under which jobs are kept."""
    if not infos:
        return {}
    first = _first_seen(tx, infos.values())
    infos = {path: dataclasses.replace(info, key=first.get(info.picture, "")) for path, info in infos.items()}
    rows = [
        {
            "folder_id": root_id,
            "path": path,
            "size": info.stamp.size,
            "mtime_ns": info.stamp.mtime_ns,
            "inode": info.stamp.inode,
            "ctime_ns": info.stamp.ctime_ns,
            "sha256": info.sha256,
            "width": info.pixels.width if info.pixels else None,
            "height": info.pixels.height if info.pixels else None,
            "extension": info.extension,
            "normalise": info.normalise,
            "rejected": info.rejected,
            "picture": info.picture,
            "key": info.key,
        }
        for path, info in infos.items()
    ]
    _REMEMBER.run_each(tx.connection, rows)
    return dict(infos)


def _remember(dialect: str) -> Any:
    """Return the statement that enters what a file is; a rejection stays told where its ctime or its number alone is new."""
    statement = insert(dialect, photos)
    new = statement.excluded
    is_one = sa.or_(*(photos.c[name] == new[name] for name in ("inode", "ctime_ns")))
    is_told = sa.and_(is_one, *(photos.c[name] == new[name] for name in ("size", "mtime_ns", "rejected")))
    changed = {column.name: new[column.name] for column in photos.c if not column.primary_key}
    changed["rejected_run_id"] = sa.case((is_told, photos.c.rejected_run_id))
    return statement.on_conflict_do_update(index_elements=list(photos.primary_key), set_=changed)


_REMEMBER: Final = Statement(_remember)


def _first_seen(tx: Tx, infos: Iterable[PhotoInfo]) -> dict[str, str]:
    """Return by picture the first content (sha256) that was seen with it, these files included."""
    here: dict[str, str] = {}
    for info in infos:
        if info.picture:
            here.setdefault(info.picture, info.sha256)
    known: dict[str, str] = dict(_SEEN.all(tx.connection, pictures=list(here)))
    fresh = [{"picture": one, "sha256": sha256} for one, sha256 in here.items() if one not in known]
    _SEE.run_each(tx.connection, fresh)
    return here | known


_SEEN: Final = Statement(
    sa.select(pictures.c.picture, pictures.c.sha256).where(
        pictures.c.picture.in_(sa.bindparam("pictures", expanding=True))
    ),
    of="pictures",
)
_SEE: Final = Statement(sa.insert(pictures))


def forget(tx: Tx, root_id: int, paths: Sequence[str]) -> None:
    """Drop the fingerprints of files that are gone."""
    _FORGET.run_each(tx.connection, [{"root": root_id, "photo": path} for path in paths])


_FORGET: Final = Statement(
    sa.delete(photos).where(photos.c.folder_id == sa.bindparam("root"), photos.c.path == sa.bindparam("photo"))
)


def refuse(tx: Tx, root_id: int, reasons: Mapping[str, str]) -> None:
    """Say why the results of photos that could be sent cannot be saved; "" where they can again."""
    _REFUSE.run_each(tx.connection, [{"root": root_id, "photo": path, "why": why} for path, why in reasons.items()])


_REFUSE: Final = Statement(
    sa.update(photos)
    .where(photos.c.folder_id == sa.bindparam("root"), photos.c.path == sa.bindparam("photo"))
    .values(rejected=sa.bindparam("why"), rejected_run_id=None)
)


def newly_rejected(tx: Tx, root_id: int, paths: Sequence[str]) -> set[str]:
    """Mark these rejections as told, and return those of which no earlier run has told.

    A run that was killed before its summary has told nobody.
    """
    return set(_TELL.column(tx.connection, root=root_id, run=tx.run_id, paths=paths))


_KILLED: Final = sa.select(runs.c.id).where(runs.c.exit_code.is_(None), runs.c.id != sa.bindparam("run"))
_TELL: Final = Statement(
    sa.update(photos)
    .where(
        photos.c.folder_id == sa.bindparam("root"),
        photos.c.path.in_(sa.bindparam("paths", expanding=True)),
        sa.or_(photos.c.rejected_run_id.is_(None), photos.c.rejected_run_id.in_(_KILLED)),
    )
    .values(rejected_run_id=sa.bindparam("run"))
    .returning(photos.c.path),
    of="paths",
)


def rejected(connection: sa.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield (root, path, reason) of every file that cannot be sent."""
    query = (
        sa.select(folders.c.path, photos.c.path, photos.c.rejected)
        .join(folders, folders.c.id == photos.c.folder_id)
        .where(photos.c.rejected != "")
        .order_by(folders.c.path, photos.c.path)
    )
    for row in connection.execute(query.execution_options(yield_per=500)):
        yield row[0], row[1], row[2]


def known_photos(
    connection: sa.Connection, photo_root_id: int, output_root_id: int, folder: str, *, deep: bool, paired: bool
) -> Iterator[Sequence[Sequence[Any]]]:
    """Yield (path, size, mtime_ns, inode, ctime_ns, output) of every photo of a folder that was ever probed, in portions.

    ``output`` is the path of its result where its content, when last probed, had its own; else None. There may be
    100,000 rows, night after night: no more is read of each than the question needs.

    Args:
        connection: to read from.
        photo_root_id: number of the photo folder.
        output_root_id: number of the output folder.
        folder: path below the photo folder.
        deep: it has subfolders, whose photos are left out.
        paired: the rows go on with (width, height, photo's sha256, sha256 of the background it was put on).
    """
    query = _known(is_root=not folder, deep=deep, paired=paired)
    for rows in query.portions(connection, photos=photo_root_id, results=output_root_id, **bounds(folder)):
        # What is called after a photo is of ASCII where the photo's own path is.
        yield [row if row[0].isascii() else (_as_path(row[0]), *row[1:5], _as_path(row[5]), *row[6:]) for row in rows]


@functools.cache
def _known(*, is_root: bool, deep: bool, paired: bool) -> Statement:
    """Return the query of ``known_photos``."""
    own_result = (
        (outputs.c.folder_id == sa.bindparam("results"))
        & (outputs.c.photo_folder_id == photos.c.folder_id)
        & (outputs.c.photo_path == photos.c.path)
        & outputs.c.saved_photo_sha256.in_((photos.c.sha256, photos.c.key))
        & (photos.c.picture != "")
        & (outputs.c.saved_job_id == outputs.c.wanted_job_id)
    )
    query = sa.select(*_KNOWN, *(_PAIRED if paired else ())).outerjoin(outputs, own_result)
    if paired:
        query = query.outerjoin(jobs, jobs.c.id == outputs.c.saved_job_id)
    is_in_folder = below(photos.c.path, is_root=is_root, deep=deep)
    return Statement(query.where(photos.c.folder_id == sa.bindparam("photos"), is_in_folder))


def _as_path(stored: str | None) -> str | None:
    return _PATH.process_result_value(stored, _ANY)


_PATH: Final = PathText()
_ANY: Final = sa.engine.default.DefaultDialect()
_KNOWN: Final = (
    photos.c.path,
    photos.c.size,
    photos.c.mtime_ns,
    photos.c.inode,
    photos.c.ctime_ns,
    outputs.c.path.label("output"),
)
_PAIRED: Final = (photos.c.width, photos.c.height, photos.c.sha256, jobs.c.background_sha256)
