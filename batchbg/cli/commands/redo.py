"""``batchbg redo``: plan results anew that are not good enough."""

import contextlib
import dataclasses
from typing import TYPE_CHECKING

import click

from batchbg.cli import output
from batchbg.cli.options import COMMON, with_settings
from batchbg.core.words import counted
from batchbg.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchbg.ledger.store import Ledger
    from batchbg.repair.redo import Redo, Redone
    from batchbg.settings import Settings


@click.command()
@click.argument("photo", nargs=-1, type=click.Path())
@click.option("--rejected", is_flag=True, help="Every result that is rejected and not done again yet.")
@click.option(
    "--files-from", "names_from", metavar="FILE", help="Those named in a file, one a line; - reads them from stdin."
)
@click.option("-0", "--null", "null", is_flag=True, help="Names in --files-from end with NUL, as of `find -print0`.")
@click.option("--undo", is_flag=True, help="Take back what is planned anew and not paid for: of each PHOTO, or all.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be planned; plan nothing.")
@with_settings("output", "max_credits", "sandbox", "json", "retry_lock", *COMMON, reading=True)
@click.pass_context
def command(
    ctx: click.Context,
    settings: "Settings",
    photo: tuple[str, ...],
    rejected: bool,
    names_from: str | None,
    null: bool,
    undo: bool,
    dry_run: bool,
) -> None:
    """Plan results anew that are not good enough: of each PHOTO, or of all that are rejected. It spends nothing.

    PHOTO is the path of a photo or of its result. The next `batchbg run` or `batchbg resume` pays for what is planned,
    under its caps: the same photo on the same background, once more. Given again before that, it plans nothing twice.
    The result that is there stays until the new one takes its place, and is then kept in .previous below the output
    folder, until the new one is accepted.

    \b
    batchbg redo photos/shoe.jpg output/bags/tote.png
    batchbg redo --rejected -n             what it would cost
    batchbg redo --rejected && batchbg resume --max-credits 50
    batchbg redo --undo                    take back what is not paid for yet

    With --json it prints one object: planned, before and undone (job, photo, background each), left_out (photo, reason
    each), credits, price, cap_left and balance (null where not known), warnings (sentences).
    """
    named = _named(photo, names_from, rejected=rejected, null=null, all_of_them=undo)
    done = do(settings, named, undo=undo, dry_run=dry_run)
    if settings.json:
        output.print_json(_as_json(done))
    else:
        _tell(done, settings, dry_run=dry_run)
    ctx.exit(ExitCode.INCOMPLETE if done.left_out else ExitCode.OK)


def _named(
    photo: "Sequence[str]", names_from: str | None, *, rejected: bool, null: bool, all_of_them: bool
) -> "Sequence[str] | None":
    """Return the paths that were named, None for all that is rejected; with ``all_of_them`` there may be none.

    Raises:
        ConfigError: both or neither were, or the list cannot be read.
    """
    if rejected and (photo or names_from or all_of_them):
        raise ConfigError("redo: --rejected goes with no photos and not with --undo; give one or the other")
    if rejected:
        return None
    if names_from:
        from batchbg.plan.request import names_from as read_names

        photo = (*photo, *read_names(names_from, null=null))
    elif not photo and not all_of_them:
        raise ConfigError("redo: name the photos that are to be done again, or give --rejected")
    return photo


def do(settings: "Settings", named: "Sequence[str] | None", *, undo: bool = False, dry_run: bool) -> "Redone":
    """Plan anew what is named, None for all that is rejected; in a copy of the ledger where that is only to be shown.

    Raises:
        ConfigError: there is no ledger, or a name is of nothing in it.
        LedgerError: another run holds it, or it cannot be read or written.
    """
    from batchbg.ledger.engine import open_to_read
    from batchbg.ledger.snapshot import open_snapshot
    from batchbg.pool.previous import discard_accepted
    from batchbg.repair import redo
    from batchbg.repair.picking import held_ledger

    def act(ledger: "Ledger") -> "Redone":
        return redo.undo(ledger, settings, named or ()) if undo else redo.redo(ledger, settings, named)

    open_to_read(settings.ledger).close()  # there has to be one
    if dry_run:
        with contextlib.closing(open_snapshot(settings.ledger)) as copy:
            return act(copy)
    with held_ledger(settings, "redo") as ledger:
        discard_accepted(ledger)
        return act(ledger)


def _tell(done: "Redone", settings: "Settings", *, dry_run: bool) -> None:
    """Tell people what is planned and what it costs; what was left out, and why, also with -q."""
    from batchbg.cli.planned import warnings

    for photo, why in done.left_out:
        output.tell(f"{photo}: left out: {why}", err=True)
    if settings.quiet:
        return
    for what, some in (("again", done.planned), ("planned before", done.before), ("not again", done.undone)):
        for one in some if settings.verbose else ():
            on = f" on {one.background}" if one.background else ""
            output.tell(f"{what}: {one.photo}{on} ({one.job})")
    for line in (*lines(done, settings, dry_run=dry_run), *(f"warning: {one}" for one in warnings(done.estimate))):
        output.tell(line)
    if done.estimate.jobs and not dry_run:
        output.tell(f"next: `{following(done, settings)}`")


def following(done: "Redone", settings: "Settings") -> str:
    """Return the command that does what is planned, under a cap."""
    from batchbg.cli.suggest import command_line

    capped = settings.is_capped or settings.sandbox
    cap = "" if capped else f" --max-credits {done.estimate.credits}"
    return command_line("resume" + cap, settings)


def lines(done: "Redone", settings: "Settings", *, dry_run: bool) -> list[str]:
    """Return what is planned, and what that costs, for people."""
    found, price = done.estimate, done.estimate.price
    if done.undone:
        would = " would be" if dry_run else ""
        return [f"{counted(len(done.undone), 'result')}{would} no longer to be done again; nothing was paid for them"]
    if not (done.planned or done.before):
        return ["nothing is to be done again"]
    would = "would be " if dry_run else ""
    cost = output.money(len(done.planned) * price, settings)
    lines = [f"{counted(len(done.planned), 'result')} {would}planned anew: {cost}; nothing is spent yet"]
    if not done.planned:
        lines = ["nothing else is to be done again"]
    if done.before:
        lines.append(f"{counted(len(done.before), 'result')} planned or begun before")
    if found.jobs != len(done.planned):
        lines.append(f"{counted(found.jobs, 'job')} to create in all, {output.money(found.credits, settings)}")
    return lines


def _as_json(done: "Redone") -> dict[str, object]:
    from batchbg.cli.planned import warnings

    found = done.estimate
    return {
        "planned": [_each(one) for one in done.planned],
        "before": [_each(one) for one in done.before],
        "undone": [_each(one) for one in done.undone],
        "left_out": [{"photo": photo, "reason": why} for photo, why in done.left_out],
        "credits": found.credits,
        "price": found.price,
        "cap_left": found.headroom.left if found.headroom else None,
        "balance": found.balance,
        "warnings": warnings(found),
    }


def _each(one: "Redo") -> dict[str, object]:
    return dataclasses.asdict(one) | {"background": one.background or None}
