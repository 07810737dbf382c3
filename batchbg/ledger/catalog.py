"""What the ledger remembers of files: fingerprints of photos and backgrounds, and who owns which output path."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import sqlalchemy as sa

from batchbg.core.lifecycle import JobState
from batchbg.core.model import KnownJob, Output, PhotoInfo, Size, Stamp
from batchbg.ledger.credits import upsert
from batchbg.ledger.engine import Tx
from batchbg.ledger.tables import LACKING, assets, events, folders, jobs, meta, outputs, photos, pictures, runs

T = TypeVar("T")

CHUNK: Final = 500
"""Values in one IN list: well under the 999 parameters that older SQLite builds take."""


def folder_id(tx: Tx, path: str) -> int:
    """Return the number of a root folder, entering it where it is new."""
    known = tx.connection.scalar(sa.select(folders.c.id).where(folders.c.path == path))
    if known is not None:
        return int(known)
    key = tx.connection.execute(sa.insert(folders).values(path=path)).inserted_primary_key
    assert key is not None  # the table has one
    return int(key[0])


def folder_path(connection: sa.Connection, folder_id: int) -> str:
    """Return the name under which a root folder stands in the ledger."""
    return str(connection.scalar(sa.select(folders.c.path).where(folders.c.id == folder_id)))


def output_roots(connection: sa.Connection) -> list[str]:
    """Return every folder that results were ever written to."""
    is_used = sa.exists().where(outputs.c.folder_id == folders.c.id)  # looks at one result, not at all of them
    return list(connection.scalars(sa.select(folders.c.path).where(is_used)))


def below(column: Any, folder: str) -> Any:
    """Return the condition that a path lies directly in ``folder`` ("" is the root)."""
    if not folder:
        return sa.func.instr(column, "/") == 0
    return somewhere_below(column, folder) & (sa.func.instr(sa.func.substr(column, len(folder) + 2), "/") == 0)


def somewhere_below(column: Any, folder: str) -> Any:
    """Return the condition that a path lies in ``folder``, which is not the root, or in one of its subfolders."""
    # "0" follows "/": a range can use the index, where LIKE cannot, and needs no escaping.
    return (column >= f"{folder}/") & (column < f"{folder}0")


def looks_of(connection: sa.Connection, root_id: int, paths: Sequence[str]) -> dict[str, PhotoInfo]:
    """Return what earlier looks found in these files, by path below the root."""
    found: dict[str, PhotoInfo] = {}
    for chunk in chunks(paths):
        query = sa.select(photos).where(photos.c.folder_id == root_id, photos.c.path.in_(chunk))
        found |= {row.path: _as_look(row) for row in connection.execute(query)}
    return found


def look_at(connection: sa.Connection, root: str, path: str) -> PhotoInfo | None:
    """Return what an earlier look found in one file."""
    row = connection.execute(_LOOK, {"root": root, "name": path}).first()
    return _as_look(row) if row else None


_LOOK: Final = (
    sa.select(photos)
    .join(folders, folders.c.id == photos.c.folder_id)
    .where(folders.c.path == sa.bindparam("root"), photos.c.path == sa.bindparam("name"))
)


def _as_look(row: sa.Row[Any]) -> PhotoInfo:
    return PhotoInfo(
        stamp=Stamp(row.size, row.mtime_ns, row.inode),
        sha256=row.sha256,
        pixels=Size(row.width, row.height) if row.width is not None else None,
        extension=row.extension,
        normalise=row.normalise,
        rejected=row.rejected,
        picture=row.picture,
        key=row.key,
    )


def remember(tx: Tx, root_id: int, looks: Mapping[str, PhotoInfo]) -> dict[str, PhotoInfo]:
    """Keep what looks found, in place of earlier ones; return them with the keys under which their jobs are kept."""
    if not looks:
        return {}
    first = _first_seen(tx, looks.values())
    looks = {path: dataclasses.replace(info, key=first.get(info.picture, "")) for path, info in looks.items()}
    rows = [
        {
            "folder_id": root_id,
            "path": path,
            "size": info.stamp.size,
            "mtime_ns": info.stamp.mtime_ns,
            "inode": info.stamp.inode,
            "sha256": info.sha256,
            "width": info.pixels.width if info.pixels else None,
            "height": info.pixels.height if info.pixels else None,
            "extension": info.extension,
            "normalise": info.normalise,
            "rejected": info.rejected,
            "picture": info.picture,
            "key": info.key,
            "rejected_run_id": None,
        }
        for path, info in looks.items()
    ]
    replaced = [name for name in rows[0] if name not in ("folder_id", "path")]
    tx.connection.execute(upsert(tx.connection, photos, *replaced), rows)
    return dict(looks)


def _first_seen(tx: Tx, looks: Iterable[PhotoInfo]) -> dict[str, str]:
    """Return by picture the first content (sha256) that was seen with it, these included."""
    here: dict[str, str] = {}
    for info in looks:
        if info.picture:
            here.setdefault(info.picture, info.sha256)
    known: dict[str, str] = {}
    for chunk in chunks(list(here)):
        query = sa.select(pictures.c.picture, pictures.c.sha256).where(pictures.c.picture.in_(chunk))
        known |= {row[0]: row[1] for row in tx.connection.execute(query)}
    if fresh := [{"picture": one, "sha256": sha256} for one, sha256 in here.items() if one not in known]:
        tx.connection.execute(sa.insert(pictures), fresh)
    return here | known


def forget(tx: Tx, root_id: int, paths: Sequence[str]) -> None:
    """Drop the fingerprints of files that are gone."""
    for chunk in chunks(paths):
        tx.connection.execute(sa.delete(photos).where(photos.c.folder_id == root_id, photos.c.path.in_(chunk)))


def refuse(tx: Tx, root_id: int, reasons: Mapping[str, str]) -> None:
    """Say why the results of photos that could be sent cannot be saved; "" where they can again."""
    rows = [{"root": root_id, "photo": path, "why": why} for path, why in reasons.items()]
    if rows:
        tx.connection.execute(_REFUSE, rows)


_REFUSE: Final = (
    sa.update(photos)
    .where(photos.c.folder_id == sa.bindparam("root"), photos.c.path == sa.bindparam("photo"))
    .values(rejected=sa.bindparam("why"), rejected_run_id=None)
)


def newly_rejected(tx: Tx, root_id: int, paths: Sequence[str]) -> int:
    """Mark these rejections as told, and return how many no earlier run has told of.

    A run that was killed before its summary has told nobody.
    """
    killed = sa.select(runs.c.id).where(runs.c.exit_code.is_(None), runs.c.id != tx.run_id)
    untold = sa.or_(photos.c.rejected_run_id.is_(None), photos.c.rejected_run_id.in_(killed))
    told = 0
    for chunk in chunks(paths):
        told += tx.connection.execute(
            sa.update(photos)
            .where(photos.c.folder_id == root_id, photos.c.path.in_(chunk), untold)
            .values(rejected_run_id=tx.run_id)
        ).rowcount
    return told


def rejected(connection: sa.Connection) -> Iterator[tuple[str, str, str]]:
    """Yield (root, path, reason) of every file that cannot be sent."""
    query = (
        sa.select(folders.c.path, photos.c.path, photos.c.rejected)
        .join(folders, folders.c.id == photos.c.folder_id)
        .where(photos.c.rejected != "")
        .order_by(folders.c.path, photos.c.path)
    )
    for row in connection.execution_options(yield_per=500).execute(query):
        yield row[0], row[1], row[2]


_SLOT: Final[sa.Select[Any]] = sa.select(
    outputs.c.id,
    outputs.c.folder_id,
    outputs.c.path,
    outputs.c.photo_folder_id,
    outputs.c.photo_path,
    outputs.c.wanted_job_id.label("wanted_job"),
    outputs.c.saved_job_id.label("saved_job"),
    outputs.c.saved_photo_sha256,
    outputs.c.saved_sha256,
    outputs.c.saved_bytes,
)


def _as_slot(row: sa.Row[Any]) -> Output:
    return Output(**row._mapping)


def slots_of(
    connection: sa.Connection, output_root_id: int, photo_root_id: int, paths: Sequence[str]
) -> dict[str, Output]:
    """Return the slots of these photos, by photo path."""
    found: dict[str, Output] = {}
    for chunk in chunks(paths):
        query = _SLOT.where(
            outputs.c.folder_id == output_root_id,
            outputs.c.photo_folder_id == photo_root_id,
            outputs.c.photo_path.in_(chunk),
        )
        found |= {row.photo_path: _as_slot(row) for row in connection.execute(query)}
    return found


def slots_by_content(
    connection: sa.Connection, output_root_id: int, contents: Collection[str]
) -> dict[str, list[Output]]:
    """Return the slots in an output folder that hold a result of any of these photo contents (sha256)."""
    found: dict[str, list[Output]] = {}
    for chunk in chunks(list(contents)):
        query = _SLOT.where(outputs.c.folder_id == output_root_id, outputs.c.saved_photo_sha256.in_(chunk))
        for row in connection.execute(query.order_by(outputs.c.path)):
            slot = _as_slot(row)
            found.setdefault(slot.saved_photo_sha256 or "", []).append(slot)
    return found


def slot(connection: sa.Connection, output_id: int) -> Output:
    """Return one slot."""
    return _as_slot(connection.execute(_SLOT_BY_ID, {"slot": output_id}).one())


_SLOT_BY_ID: Final = _SLOT.where(outputs.c.id == sa.bindparam("slot"))


def slots_wanting(connection: sa.Connection, job_id: str) -> list[Output]:
    """Return the slots that want this job's result and do not hold it, in the order of their paths."""
    return [_as_slot(row) for row in connection.execute(_WANTING, {"job": job_id})]


_WANTING: Final = _SLOT.where(
    outputs.c.wanted_job_id == sa.bindparam("job"),
    sa.or_(outputs.c.saved_job_id.is_(None), outputs.c.saved_job_id != sa.bindparam("job")),
).order_by(outputs.c.path)


def slots_holding(connection: sa.Connection, job_id: str | None = None) -> Iterator[Output]:
    """Yield the slots that hold a result, of one job or of any."""
    query = _SLOT.where(outputs.c.saved_job_id.is_not(None) if job_id is None else outputs.c.saved_job_id == job_id)
    for row in connection.execution_options(yield_per=500).execute(query.order_by(outputs.c.id)):
        yield _as_slot(row)


def saved_contents(connection: sa.Connection) -> frozenset[str]:
    """Return the digests of all results, in whichever output folder they are."""
    return frozenset(connection.scalars(sa.select(outputs.c.saved_sha256).where(outputs.c.saved_sha256.is_not(None))))


def rename(tx: Tx, slot: Output, path: str) -> None:
    """Give a slot under whose path nothing was ever saved another one."""
    tx.connection.execute(_UPDATE_SLOT, {"slot": slot.id, "path": path})


def undelivered(connection: sa.Connection) -> list[str]:
    """Return the done jobs whose result some slot still wants."""
    is_done = sa.exists().where(jobs.c.id == outputs.c.wanted_job_id, jobs.c.state == JobState.DONE)
    query = sa.select(outputs.c.wanted_job_id).where(LACKING, is_done).distinct()
    return [str(job_id) for job_id in connection.scalars(query)]


def awaiting(connection: sa.Connection, output_root_id: int) -> set[str]:
    """Return the paths in an output folder that want a result they do not hold."""
    # A condition on the folder would have the database look at all its outputs, in place of the few that lack theirs.
    lacking = connection.execute(sa.select(outputs.c.folder_id, outputs.c.path).where(LACKING))
    return {path for folder_id, path in lacking if folder_id == output_root_id}


def mark_missing(tx: Tx, slot: Output) -> None:
    """Say that a slot's result is no longer on disk: it is wanted again."""
    tx.connection.execute(
        sa.update(outputs).where(outputs.c.id == slot.id).values(wanted_job_id=slot.saved_job, saved_job_id=None)
    )


def saved(tx: Tx, slot_id: int, job_id: str, photo_sha256: str, sha256: str, size: int) -> None:
    """Record that a result is on disk: hex digest and bytes of the file."""
    changes = {
        "saved_job_id": job_id,
        "saved_photo_sha256": photo_sha256,
        "saved_sha256": sha256,
        "saved_bytes": size,
        "saved_at": tx.at,
    }
    tx.connection.execute(_UPDATE_SLOT, {"slot": slot_id, **changes})


_UPDATE_SLOT: Final = sa.update(outputs).where(outputs.c.id == sa.bindparam("slot"))


def saving(tx: Tx, job_id: str, sha256: str) -> None:
    """Record that a file with this digest is about to become a job's result."""
    tx.connection.execute(
        sa.insert(events).values(at=tx.at, run_id=tx.run_id, job_id=job_id, kind=_SAVING, detail=sha256)
    )


def saved_ever(connection: sa.Connection, job_id: str) -> list[str]:
    """Return the digests of files that became a job's results, or were about to when the process ended."""
    return list(
        connection.scalars(sa.select(events.c.detail).where(events.c.job_id == job_id, events.c.kind == _SAVING))
    )


_SAVING: Final = "saving"


def jobs_by_content(connection: sa.Connection, contents: Collection[str]) -> dict[str, list[KnownJob]]:
    """Return all jobs for any of these photo contents (sha256), in every output folder, newest generation first."""
    found: dict[str, list[KnownJob]] = {}
    for chunk in chunks(list(contents)):
        query = (
            sa.select(
                jobs.c.id,
                jobs.c.version,
                jobs.c.state,
                jobs.c.photo_sha256,
                jobs.c.background_sha256,
                jobs.c.generation,
                jobs.c.output_id,
                jobs.c.order_id,
                jobs.c.run_id,
                outputs.c.folder_id.label("output_folder_id"),
                outputs.c.photo_folder_id,
                outputs.c.photo_path,
                jobs.c.error,
                jobs.c.error_code,
            )
            .join(outputs, outputs.c.id == jobs.c.output_id)
            .where(jobs.c.photo_sha256.in_(chunk))
            .order_by(jobs.c.generation.desc())
        )
        for row in connection.execute(query):
            known = KnownJob(**{**row._mapping, "state": JobState(row.state)})
            found.setdefault(known.photo_sha256, []).append(known)
    return found


def planned_for_slots(connection: sa.Connection, slot_ids: Collection[int]) -> dict[int, str]:
    """Return the ids of planned jobs by the slot they are for."""
    found: dict[int, str] = {}
    for chunk in chunks(list(slot_ids)):
        query = sa.select(jobs.c.output_id, jobs.c.id).where(
            jobs.c.output_id.in_(chunk), jobs.c.state == JobState.PLANNED
        )
        found |= {row[0]: row[1] for row in connection.execute(query)}
    return found


def asset(connection: sa.Connection, accounts: Sequence[str], recipe: str, newer_than: float) -> str | None:
    """Return the service's path of an uploaded file, or None where it has none that is recent enough."""
    asked = {"accounts": list(accounts), "of_recipe": recipe, "newer_than": newer_than}
    path: str | None = connection.scalar(_ASSET, asked)
    return path


_ASSET: Final = (
    sa.select(assets.c.file_path)
    .where(
        assets.c.account.in_(sa.bindparam("accounts", expanding=True)),
        assets.c.recipe == sa.bindparam("of_recipe"),
        assets.c.uploaded_at > sa.bindparam("newer_than"),
    )
    .order_by(assets.c.uploaded_at.desc())
    .limit(1)
)


def uploaded(tx: Tx, account: str, recipe: str, file_path: str, size: int) -> None:
    """Remember an upload."""
    row = {"account": account, "recipe": recipe, "file_path": file_path, "bytes": size, "uploaded_at": tx.at}
    tx.connection.execute(upsert(tx.connection, assets, "file_path", "bytes", "uploaded_at"), row)


def forget_asset(tx: Tx, recipe: str, file_path: str) -> None:
    """Drop an upload that the service does not know any more."""
    tx.connection.execute(sa.delete(assets).where(assets.c.recipe == recipe, assets.c.file_path == file_path))


def forget_assets(tx: Tx, contents: Sequence[str], before: float) -> None:
    """Drop every upload of these contents (sha256), in whatever form, that was made before a time."""
    same = sa.select(photos.c.sha256).where(photos.c.key.in_(contents)).distinct()
    for content in {*contents, *tx.connection.scalars(same)}:
        tx.connection.execute(
            sa.delete(assets).where(
                (assets.c.recipe == content) | assets.c.recipe.startswith(f"{content} ", autoescape=True),
                assets.c.uploaded_at <= before,
            )
        )


def kind(connection: sa.Connection) -> str | None:
    """Return "api" or "sandbox", whichever the ledger was used with; None where it was used with neither."""
    found: str | None = connection.scalar(sa.select(meta.c.value).where(meta.c.key == "kind"))
    return found


def chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield ``values`` in pieces that fit an IN list."""
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
