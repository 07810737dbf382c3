"""What a plan says: a line a photo, and what all of it comes to."""

import contextlib
import datetime
from pathlib import Path
from typing import IO, Final

from tqdm import tqdm

from batchbg.cli import output
from batchbg.cli.console_reporter import ConsoleReporter
from batchbg.cli.suggest import quoted, typed_again
from batchbg.core.paint import shown_paint
from batchbg.core.words import counted, duration, share
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

NOT_REPEATED: Final = ("save", "dry_run", "json", "verbose", "quiet", "log_format", "strict")
"""Options of a plan that are of no use to the run after it."""

PICKS: Final = ("include", "exclude", "files_from", "null", "max_depth", "background_policy", "background_map")
"""Options that a saved plan has in it."""


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
        if found.jobs and not settings.quiet:
            output.tell(f"next: `batchbg {_next(found, settings, save)}`")
    rejects = tally.rejected if settings.strict else tally.newly_rejected
    return ExitCode.INCOMPLETE if rejects or tally.unmatched else ExitCode.OK


def _next(found: Estimate, settings: Settings, save: Path | None) -> str:
    """Return the command that does what is planned; with a cap of just that where no cap would hold it."""
    line = typed_again("run", (*NOT_REPEATED, *PICKS) if save else NOT_REPEATED)
    plan = f" --plan {quoted(str(save))}" if save else ""
    return line + plan + ("" if settings.is_capped or settings.sandbox else f" --max-credits {found.credits}")


def _plan(settings: Settings, save: Path | None) -> tuple[Tally, Estimate]:
    progress = ConsoleReporter(settings)
    with contextlib.ExitStack() as stack:
        ledger = open_snapshot(settings.ledger)
        stack.callback(ledger.close)
        bar = stack.enter_context(
            tqdm(desc="looking", unit=" files", leave=False, disable=settings.quiet or not output.is_animated())
        )
        file = _open(stack, save) if save else None
        planner = begin_plan(settings, ledger, "plan", Listener(bar.update, wants_all=bool(settings.verbose)))
        price = _estimate(ledger, settings).price
        for line in planner.plan():
            if line.action == "reject":
                progress.rejected(line)
            elif settings.verbose:
                # Beside the one JSON object stdout has to stay empty.
                text = _text(line, price, figures=settings.verbose > 1)
                output.note(text, settings) if settings.json else output.tell_above_bar(text)
            if file and line.entry:
                write_entry(file, line.entry, line.misfit)
        for text in some_of(planner.tally.unmatched):
            output.note(text, settings)
        return planner.tally, _estimate(ledger, settings)


def _estimate(ledger: Ledger, settings: Settings) -> Estimate:
    with ledger.reading() as connection:
        zone = clock.zone_in(connection, settings.zone)
        return estimate(connection, "plan", settings.caps, settings.base_url, zone)


def _open(stack: contextlib.ExitStack, path: Path) -> IO[str]:
    try:
        return stack.enter_context(whole(path, "utf-8"))
    except OSError as error:
        raise ConfigError(f"--save {path}: {error.strerror or error}") from error


def _text(line: Line, price: int, *, figures: bool) -> str:
    """Return one photo's line: action, photo, size, background and how it fits, output, cost; or why not."""
    background = f"on {shown_paint(line.background)}" if line.background else ""
    detail = f"{line.detail} ({line.misfit})" if figures and line.misfit else line.detail
    where = f"-> {line.output}" if line.output and line.action != "skip" else ""
    cost = counted(price, "credit") if line.entry else ""
    parts = [f"{line.action:5s}", line.path, str(line.pixels or ""), background, detail, where, cost]
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
        "ignored": dict(tally.ignored_by),
        "changed": tally.changed,
        "missing": tally.missing,
        "other_background": tally.other_background,
        "backgrounds": {name or "transparent": number for name, number in tally.backgrounds.items()},
        "rejected_backgrounds": tally.bad_backgrounds,
        "enlarged": tally.enlarged,
        "credits": found.credits,
        "price": found.price,
        "seconds": output.expected_s(found.jobs, settings),
        "cap_left": found.headroom.left if found.headroom else None,
        "balance": found.balance,
        "warnings": warnings(found),
    }


def _lines(tally: Tally, found: Estimate, settings: Settings) -> list[str]:
    cost = output.money(tally.new * found.price, settings)
    lines = [f"{counted(tally.seen, 'photo')}: {counted(tally.new, 'new job')}, {cost}"]
    if tally.changed:
        lines.append(f"{tally.changed} of them for photos that were done before and have changed since")
    if tally.taken_up:
        lines.append(f"{counted(tally.taken_up, 'job')} of earlier runs to continue")
    if found.jobs != tally.new:
        lines.append(f"{counted(found.jobs, 'job')} to create in all, {output.money(found.credits, settings)}")
    if tally.copies:
        lines.append(f"{counted(tally.copies, 'copy', 'copies')} of another photo's result, free")
    lines += [f"{number} skipped: {reason}" for reason, number in tally.skipped.most_common()]
    if tally.other_background:
        lines.append(f"{tally.other_background} of these done with another background than today's choice")
    lines += tally.gone
    if tally.rejected:
        lines.append(f"{tally.rejected} rejected, see above")
    if tally.ignored:
        why = ", ".join(f"{reason} ({number})" for reason, number in tally.ignored_by.most_common())
        lines.append(f"{counted(tally.ignored, 'file')} ignored: {why}{'' if settings.verbose else '; -v lists them'}")
    lines += tally.left_out
    lines += [
        f"{number:5d} on {shown_paint(name) or 'no background (transparent)'}"
        for name, number in tally.backgrounds.most_common()
    ]
    if tally.enlarged:
        its, it = ("its background is", "it") if tally.enlarged == 1 else ("their backgrounds are", "them")
        lines.append(f"{counted(tally.enlarged, 'photo')}: {its} cropped and enlarged, which blurs {it}")
    lines += [f"background {path} is left out: {reason}" for path, reason in tally.bad_backgrounds.items()]
    if found.jobs:
        about = duration(output.expected_s(found.jobs, settings))
        lines.append(
            f"about {about}, with {counted(settings.max_in_flight, 'job')} in flight at {output.MEDIAN_S:g} s each"
        )
    return lines + [f"warning: {warning}" for warning in warnings(found)]


def warnings(found: Estimate) -> list[str]:
    """Return what will not do for all the jobs: the tightest cap, the account."""
    warnings = []
    if found.headroom and found.headroom.left < found.credits:
        enough_for = max(found.headroom.left, 0) // found.price
        warnings.append(f"{found.headroom}, enough for {share(enough_for, found.jobs, 'job')}")
    if found.balance is not None and found.balance < found.credits:
        read = datetime.datetime.fromtimestamp(found.read_at).astimezone()
        warnings.append(
            f"the account should have {counted(found.balance, 'credit')} left (read {read:%Y-%m-%d %H:%M}),"
            f" enough for {share(max(found.balance, 0) // found.price, found.jobs, 'job')}"
        )
    return warnings
