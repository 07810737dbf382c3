"""``batchbg plan``: what would be done, why, and what it costs."""

import contextlib
import datetime
import tempfile
from pathlib import Path
from typing import IO

import click
from tqdm import tqdm

from batchbg.cli import output
from batchbg.cli.console_reporter import ConsoleReporter
from batchbg.cli.options import COMMON, RESULTS, SCAN, Sectioned, settings_keys, with_settings
from batchbg.disk.files import whole
from batchbg.errors import ConfigError, ExitCode
from batchbg.ledger import clock
from batchbg.ledger.estimate import Estimate, estimate
from batchbg.ledger.snapshot import open_snapshot
from batchbg.ledger.store import Ledger
from batchbg.plan.lines import Line, Listener, Tally, some_of
from batchbg.plan.planner import begin_plan
from batchbg.plan.saved_plan import write_entry
from batchbg.settings import Settings


@click.command(cls=Sectioned)
@click.argument("photos", required=False, type=click.Path(path_type=Path))
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="FILE", help="Write the plan, for `batchbg run --plan`."
)
@with_settings(
    *settings_keys(SCAN, RESULTS, ("sandbox", "max_credits", "max_in_flight", "json", "strict"), COMMON), reading=True
)
@click.pass_context
def command(ctx: click.Context, settings: Settings, save: Path | None) -> None:
    """Show what would be done with the photos in PHOTOS, why, and what it costs.

    Sends nothing, needs no key, and writes no jobs: it is a run's own planning on a copy of the ledger.

    \b
    batchbg plan photos -b backgrounds -v     a line for every photo
    batchbg plan photos --save plan.jsonl     to be done just so by batchbg run photos --plan plan.jsonl

    With --json the summary is one object: jobs (new, taken_up), photos (seen, rejected, reused, skipped, ignored),
    skipped (number by reason), changed, missing, other_background, backgrounds (new jobs by background),
    rejected_backgrounds (reason by background), enlarged, credits, price, seconds, cap_left and balance (null where
    not known), warnings (sentences).
    """
    ctx.exit(show_plan(settings, save))


def show_plan(settings: Settings, save: Path | None = None) -> ExitCode:
    """Print the plan; 3 where a photo is rejected that no run has told of yet, or where something matches nothing.

    Raises:
        ConfigError: no folder of photos is named.
    """
    if settings.photos is None:
        raise ConfigError("name the folder of photos: `batchbg plan PHOTOS`, or `photos` in config.toml")
    tally, found = _plan(settings, save)
    if settings.json:
        output.print_json(_as_json(tally, found, settings))
    else:
        for text in _lines(tally, found, settings):
            output.tell(text)
    rejects = tally.rejected if settings.strict else tally.newly_rejected
    return ExitCode.INCOMPLETE if rejects or tally.unmatched else ExitCode.OK


def _plan(settings: Settings, save: Path | None) -> tuple[Tally, Estimate]:
    progress = ConsoleReporter(settings)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="batchbg-plan-"))
        ledger = open_snapshot(settings.ledger, Path(folder))
        stack.callback(ledger.close)
        bar = stack.enter_context(
            tqdm(desc="looking", unit=" files", disable=settings.quiet or not output.is_animated())
        )
        file = _open(stack, save) if save else None
        planner = begin_plan(settings, ledger, "plan", Listener(bar.update, wants_all=bool(settings.verbose)))
        price = _outlook(ledger, settings).price
        for line in planner.plan():
            if line.action == "reject":
                progress.line(line)
            elif settings.verbose:
                # Beside the one JSON object stdout has to stay empty.
                text = _text(line, price)
                output.note(text, settings) if settings.json else output.tell_above_bar(text)
            if file and line.entry:
                write_entry(file, line.entry)
        for text in some_of(planner.tally.unmatched):
            output.note(text, settings)
        return planner.tally, _outlook(ledger, settings)


def _outlook(ledger: Ledger, settings: Settings) -> Estimate:
    with ledger.reading() as connection:
        zone = clock.zone_in(connection, settings.zone)
        return estimate(connection, "plan", settings.caps, settings.base_url, zone)


def _open(stack: contextlib.ExitStack, path: Path) -> IO[str]:
    try:
        return stack.enter_context(whole(path, "utf-8"))
    except OSError as error:
        raise ConfigError(f"--save {path}: {error.strerror or error}") from error


def _text(line: Line, price: int) -> str:
    """Return one photo's line: action, photo, size, background with its figures, output, cost; or why not."""
    background = f"on {line.background}" if line.background else ""
    where = f"-> {line.output}" if line.output and line.action != "skip" else ""
    cost = f"{price} credits" if line.entry else ""
    parts = [f"{line.action:5s}", line.path, str(line.pixels or ""), background, line.detail, where, cost]
    return "  ".join(part for part in parts if part)


def _as_json(tally: Tally, found: Estimate, settings: Settings) -> dict[str, object]:
    return {
        "jobs": {"new": tally.new, "taken_up": tally.taken_up},
        "photos": {
            "seen": tally.seen,
            "rejected": tally.rejected,
            "reused": tally.copies,
            "skipped": sum(tally.skipped.values()),
            "ignored": tally.ignored,
        },
        "skipped": dict(tally.skipped),
        "changed": tally.changed,
        "missing": tally.missing,
        "other_background": tally.other_background,
        "backgrounds": {name or "transparent": number for name, number in tally.backgrounds.items()},
        "rejected_backgrounds": tally.bad_backgrounds,
        "enlarged": tally.enlarged,
        "credits": found.credits,
        "price": found.price,
        "seconds": output.expected_s(found.jobs, settings),
        "cap_left": found.room.left if found.room else None,
        "balance": found.balance,
        "warnings": _warnings(found),
    }


def _lines(tally: Tally, found: Estimate, settings: Settings) -> list[str]:
    cost = output.money(tally.new * found.price, settings)
    lines = [f"{tally.seen} photos: {tally.new} new jobs, {cost}"]
    if tally.changed:
        lines.append(f"{tally.changed} of them for photos that have changed since they were done")
    if tally.taken_up:
        lines.append(f"{tally.taken_up} jobs of earlier runs go on")
    if found.jobs != tally.new:
        lines.append(f"{found.jobs} jobs to create in all, {output.money(found.credits, settings)}")
    if tally.copies:
        lines.append(f"{tally.copies} copies of results that are paid for")
    lines += [f"{number} skipped: {reason}" for reason, number in tally.skipped.most_common()]
    if tally.other_background:
        lines.append(f"{tally.other_background} of these are done with another background than today's choice")
    if tally.missing:
        lines.append(f"{tally.missing} results are no longer on disk: `batchbg rescue` fetches them, free")
    if tally.rejected:
        lines.append(f"{tally.rejected} rejected, see above")
    if tally.ignored:
        lines.append(f"{tally.ignored} files ignored: junk, hidden, filtered, or no pictures")
    lines += [
        f"{number:5d} on {name or 'no background (transparent)'}" for name, number in tally.backgrounds.most_common()
    ]
    if tally.enlarged:
        lines.append(f"{tally.enlarged} of these crops enlarge their background, which blurs it")
    lines += [f"background {path} is left out: {reason}" for path, reason in tally.bad_backgrounds.items()]
    if found.jobs:
        about = output.duration(output.expected_s(found.jobs, settings))
        lines.append(f"about {about}, with {settings.max_in_flight} jobs in flight at {output.MEDIAN_S:g} s each")
    return lines + [f"warning: {warning}" for warning in _warnings(found)]


def _warnings(found: Estimate) -> list[str]:
    """Return what will not do for all the jobs: the tightest cap, the account."""
    warnings = []
    if found.room and found.room.left < found.credits:
        enough_for = max(found.room.left, 0) // found.price
        warnings.append(f"{found.room}, enough for {enough_for} of {found.jobs} jobs")
    if found.balance is not None and found.balance < found.credits:
        read = datetime.datetime.fromtimestamp(found.read_at).astimezone()
        warnings.append(
            f"the account should have {found.balance} credits left (read {read:%Y-%m-%d %H:%M}),"
            f" enough for {max(found.balance, 0) // found.price} of {found.jobs} jobs"
        )
    return warnings
